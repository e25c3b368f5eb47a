"""The link in a message about a summary: it opens the summary alone, for thirty days, by the birth date."""

from datetime import timedelta

from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink
from visits.reminders.links import kind_of
from visits.reminders.models import Communication
from visits.summary.services import name_of

VALID_FOR = timedelta(days=30)


def to_summary(message: Communication) -> str:
    """The address of a new link to the newest version; empty where nothing is published."""
    visit = message.visit
    name = name_of(visit)
    if name is None:
        return ""
    _link, address = links.issue(
        kind=kind_of(message.related_person),
        scope=AccessLink.Scope.SUMMARY,
        clinic=visit.clinic,
        resource_id=name,
        expires_at=timezone.now() + VALID_FOR,
        patient=visit.patient,
        related_person=message.related_person,
    )
    return address
