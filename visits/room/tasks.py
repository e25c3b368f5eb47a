"""What beat calls."""

from celery import shared_task

from visits.room import presence


@shared_task
def close_silent() -> int:
    """Close presences that nobody vouches for any more."""
    return presence.close_silent()
