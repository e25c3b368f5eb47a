"""The tick; beat calls it every few seconds (telehealth.celery)."""

from celery import shared_task

from visits.waitlist import services


@shared_task(name="visits.waitlist.tasks.offer_on", ignore_result=True)
def offer_on() -> int:
    return services.tick()
