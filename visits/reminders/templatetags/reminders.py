"""What a patient will receive, for pages of lower floors: of a visit that is booked, and of one that is not yet."""

from datetime import datetime, timedelta
from typing import Any

from babel.lists import format_list
from django import template
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import Clinic, Patient
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.models.ledger import in_words
from visits.reminders.services import planning

register = template.Library()


@register.inclusion_tag("reminders/_to_come.html")
def messages_to_come(visit: Appointment) -> dict[str, Any]:
    planned = visit.communications.filter(state=Communication.State.PLANNED, revision=visit.revision)
    return {"to_come": planned.order_by("due_at")}


@register.simple_tag
def would_receive(clinic: Clinic, patient: Patient | None, start: datetime | None) -> str:
    """ "now, and 3 days, 1 day, 1 hour and 10 minutes before": e-mails about a visit that would begin at ``start``.

    ``patient`` None is somebody new; ``start`` None is some day that is far away.
    """
    now = timezone.now()
    visit = Appointment(
        clinic=clinic, patient=patient or Patient(clinic=clinic), start=start or now + timedelta(days=60)
    )
    leads = [
        in_words(timedelta(minutes=row["lead"]))
        for row in planning.reminders(visit, now)
        if row["channel"] == Communication.Channel.EMAIL and not row["reason"]
    ]
    if not leads:
        return _("E-mail now")
    return _("E-mail now, and %(times)s before") % {"times": format_list(leads, locale=(get_language() or "en")[:2])}
