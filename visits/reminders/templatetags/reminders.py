"""What a patient will receive, for pages of lower floors: of a visit that is booked, changed, or not yet booked."""

from datetime import datetime, timedelta
from typing import Any

from babel.lists import format_list
from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.language import page_language
from accounts.models import Patient, RelatedPerson
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.models.ledger import in_words
from visits.reminders.services import planning, rules

register = template.Library()


@register.inclusion_tag("reminders/_to_come.html", takes_context=True)
def messages_to_come(context: dict[str, Any], visit: Appointment) -> dict[str, Any]:
    """What is sent to who looks, the patient or who acts for them, as things are now."""
    own = visit.communications.filter(related_person=context["principal"].acts_as)
    planned = own.filter(state=Communication.State.PLANNED, revision=visit.revision).order_by("due_at", "channel")
    to_come: dict[tuple[str, datetime], list[str]] = {}
    for message in planned:
        if not rules.why_not(message, now=message.due_at):
            to_come.setdefault((message.label, message.due_at), []).append(message.channel)
    return {"to_come": [(label, due_at, by) for (label, due_at), by in to_come.items()]}


@register.inclusion_tag("reminders/_will_be_told.html")
def will_be_told(visit: Appointment, kind: str) -> dict[str, Any]:
    """How the patient hears that the visit moves (``reschedule``) or will not take place (``cancellation``).

    For staff, before they do it: so that they call whom no message reaches.
    """
    patient, kind = visit.patient, Communication.Kind(kind)
    by = rules.reached_by(patient, kind)
    text = Communication(appointment=visit, patient=patient, kind=kind, channel=Communication.Channel.SMS)
    return {
        "patient": patient,
        "email": Communication.Channel.EMAIL in by,
        "sms": Communication.Channel.SMS in by,
        "sms_waits": rules.waits_until(text, now=timezone.now()) is not None,
        # Who never heard of a visit does not hear of its end.
        "is_unknown": kind == Communication.Kind.CANCELLATION and not planning.was_told(visit),
    }


@register.simple_tag
def untold_of_grant(person: RelatedPerson) -> str:
    """That no message told anybody of the last that became of a grant, or perhaps none, and why: for staff, who then
    tell the patient themselves.

    Empty where a message went out, or is about to, and where nobody needs to know.
    """
    told = Communication.objects.filter(kind=Communication.Kind.GRANT, reference=person.pk.hex)
    last = told.order_by("-serial").values_list("serial", flat=True)[:1]
    rows = list(told.filter(serial__in=last))
    state = Communication.State
    if not rows or any(row.state not in {state.SUPPRESSED, state.FAILED, state.UNKNOWN} for row in rows):
        return ""
    if unknown := next((row for row in rows if row.state == state.UNKNOWN), None):
        words = _("The message about this may not have reached the patient: ask them. (%(reason)s)")
        return words % {"reason": unknown.get_reason_display()}
    if rows[0].reason == Communication.Reason.NOT_NEEDED:
        return ""
    words = _("No message could tell the patient of this: tell them yourself. (%(reason)s)")
    return words % {"reason": rows[0].get_reason_display()}


@register.simple_tag
def would_receive(patient: Patient, start: datetime | None) -> str:
    """ "E-mail now, and 3 days and 1 day before. Text message now": of a visit that would begin at ``start``.

    Empty when no message can reach the patient, who may be new. ``start`` None is some day that is far away.
    """
    now = timezone.now()
    visit = Appointment(clinic=patient.clinic, patient=patient, start=start or now + timedelta(days=60))
    rows = [row for row in planning.reminders(visit, now) if not row["reason"]]
    by = {
        channel: [in_words(timedelta(minutes=row["lead"])) for row in rows if row["channel"] == channel]
        for channel in rules.reached_by(patient, Communication.Kind.CONFIRMATION)
    }
    return ". ".join(_first_and(channel, leads) for channel, leads in by.items())


def _first_and(channel: Communication.Channel, leads: list[str]) -> str:
    is_text = channel == Communication.Channel.SMS
    if not leads:
        return _("Text message now") if is_text else _("E-mail now")
    words = _("Text message now, and %(times)s before") if is_text else _("E-mail now, and %(times)s before")
    return words % {"times": format_list(leads, locale=page_language())}
