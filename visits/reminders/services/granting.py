"""Word to the patient that staff let somebody act for them, changed that or ended it.

It goes to the patient's own address, whoever else their messages go to.
"""

from typing import Any

from django.utils import timezone

from accounts.contact import normal_email, normal_phone
from accounts.models import RelatedPerson
from accounts.proxies.services import terms_of
from visits.reminders.grants import Change
from visits.reminders.models import Communication
from visits.reminders.services import rules

Kind = Communication.Kind
State = Communication.State


def tell_of_grant(person: RelatedPerson, before: RelatedPerson | None) -> None:
    """Plan the message, in the transaction of the change; nothing where it is no news to the patient.

    By e-mail, or else by text. Where it cannot reach the patient, it goes to who else stands in their place by law
    (45 CFR 164.502(g)), or is written down as not sent. ``before`` is the grant as it was, None of a new one.
    """
    details = terms_of(person) | {"change": Change.GRANTED, "has_moved": False}
    if person.revoked_at is not None:
        details["change"] = Change.ENDED
    elif before is not None:
        if _facts(person) == _facts(before):
            return
        details |= {"change": Change.CHANGED, "has_moved": _address(person) != _address(before)}
    message = _message(person, None, details)
    instead = [_message(person, one, details) for one in _guardians(person)] if message.reason else []
    for one in [found for found in instead if not found.reason] or [message]:
        one.save(force_insert=True)


def _message(person: RelatedPerson, recipient: RelatedPerson | None, details: dict[str, Any]) -> Communication:
    """Not saved: by the first channel that reaches the recipient, else by the first."""
    told = Communication.objects.filter(patient=person.patient, kind=Kind.GRANT, reference=person.pk.hex)
    last = told.order_by("-serial").values_list("serial", flat=True).first()
    found = [
        Communication(
            patient=person.patient,
            related_person=recipient,
            kind=Kind.GRANT,
            channel=channel,
            serial=0 if last is None else last + 1,
            reference=person.pk.hex,
            details=details,
            due_at=timezone.now(),
        )
        for channel in rules.channels(person.clinic, Kind.GRANT)
    ]
    for one in found:
        one.reason = rules.why_not(one, now=one.due_at)
        one.state = State.SUPPRESSED if one.reason else State.PLANNED
    return next((one for one in found if not one.reason), found[0])


def _guardians(person: RelatedPerson) -> list[RelatedPerson]:
    """Who acts for the patient by law, but for ``person``."""
    others = [one for one in rules.recipients(person.patient) if one is not None and one != person]
    return [one for one in others if one.basis != RelatedPerson.Basis.PATIENT]


def _facts(person: RelatedPerson) -> tuple[object, ...]:
    """What the patient would want to know of: all but the desk's note and the language."""
    return person.full_name, terms_of(person), _address(person)


def _address(person: RelatedPerson) -> tuple[str, str]:
    return normal_email(person.email), normal_phone(person.phone, person.clinic.time_zone)
