"""Patients and guests of a visit: their links, and browsers that have redeemed them."""

from datetime import timedelta

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink
from accounts.policy import Role
from accounts.principal import SESSION_LINKS, Principal
from visits.booking.models import Appointment


def make_link(visit: Appointment, *, guest: str = "") -> AccessLink:
    """A live link of the visit's patient, or of a guest by that name."""
    return links.issue(
        kind=AccessLink.Kind.GUEST if guest else AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=timezone.now() + timedelta(hours=12),
        patient=None if guest else visit.patient,
        name=guest,
        relationship="Interpreter" if guest else "",
    )[0]


def bearer(link: AccessLink) -> Principal:
    """The principal of who redeemed the link, for calling services."""
    role, name = (Role.PATIENT, link.patient.full_name) if link.patient else (Role.GUEST, link.name)
    return Principal(clinic=link.clinic, role=role, name=name, link=link)


def browser(link: AccessLink) -> Client:
    """A test client that has redeemed the link."""
    client = Client()
    session = client.session
    session[SESSION_LINKS] = {str(link.resource_id): str(link.pk)}
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client
