"""The ticks, which beat calls every few seconds (telehealth.celery), and what takes longer than a page may."""

from celery import shared_task

from accounts.models import Clinic
from visits.reminders import services


@shared_task(name="visits.reminders.tasks.send_due", ignore_result=True)
def send_due() -> int:
    return services.send_due()


@shared_task(name="visits.reminders.tasks.send_asked", ignore_result=True)
def send_asked() -> int:
    """Of what is due, what patients have asked for and wait for, past those of a long batch."""
    return services.send_due(asked_for=True)


@shared_task(name="visits.reminders.tasks.plan_for_quiet_hours", ignore_result=True)
def plan_for_quiet_hours(clinic_pk: str) -> None:
    for clinic in Clinic.objects.filter(pk=clinic_pk):  # which may be gone with its rules
        services.plan_for_quiet_hours(clinic)
