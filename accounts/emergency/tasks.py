import logging
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.mailing import insist
from accounts.models import Clinic, EmergencyAccess, Membership
from accounts.policy import Role

log = logging.getLogger(__name__)


@shared_task(name="accounts.emergency.tasks.tell_of", bind=True, ignore_result=True)
def tell_of(self: Any, access_id: str) -> None:
    """Mail who looks after privacy that a record was opened; no patient's name, no reason."""
    access = EmergencyAccess.objects.select_related("clinic", "user").filter(pk=access_id).first()
    if access is None:
        return
    clinic = access.clinic
    contacts = privacy_contacts(clinic)
    if not contacts:
        log.error("access %s in an emergency: clinic %s has nobody who could be told", access.pk, clinic.pk)
        return
    page = reverse("admin:accounts_emergencyaccess_change", args=[access.pk])
    context = {"clinic": clinic, "name": access.user.name, "url": settings.BASE_URL + page}
    with translation.override(clinic.language):
        subject = render_to_string("emails/emergency-subject.txt", context).strip()
        body = render_to_string("emails/emergency.txt", context)
    insist(self, f"mail of access {access.pk} in an emergency", lambda: send_mail(subject, body, None, contacts))


def privacy_contacts(clinic: Clinic) -> list[str]:
    """The clinic's privacy contact; where none is named, its admins."""
    if clinic.privacy_email:
        return [clinic.privacy_email]
    admins = Membership.objects.filter(clinic=clinic, role=Role.CLINIC_ADMIN, is_active=True, user__is_active=True)
    return list(admins.values_list("user__email", flat=True))
