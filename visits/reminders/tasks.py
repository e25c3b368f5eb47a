"""The tick; beat calls it every few seconds (telehealth.celery)."""

from celery import shared_task

from visits.reminders import services


@shared_task(name="visits.reminders.tasks.send_due", ignore_result=True)
def send_due() -> int:
    return services.send_due()


@shared_task(name="visits.reminders.tasks.send_asked", ignore_result=True)
def send_asked() -> int:
    """Of what is due, what patients have asked for and wait for, past those of a long batch."""
    return services.send_due(asked_for=True)
