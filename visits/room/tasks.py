"""What beat calls."""

from celery import shared_task

from visits.room import presence, watch


@shared_task
def close_silent() -> int:
    """Close presences that nobody vouches for any more."""
    return presence.close_silent()


@shared_task
def look_at_relays() -> None:
    """Note which relay nodes live, also while nobody is in a call."""
    watch.look_once()
