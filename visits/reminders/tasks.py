"""The tick; beat calls it every few seconds (telehealth.celery)."""

from celery import shared_task

from visits.reminders import services


@shared_task(name="visits.reminders.tasks.send_due", ignore_result=True)
def send_due() -> int:
    return services.send_due()
