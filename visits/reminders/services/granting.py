"""Word to the patient that staff let somebody act for them, changed that or ended it.

It goes to the patient's own address, whoever else their messages go to.
"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.contact import normal_email, normal_phone
from accounts.models import RelatedPerson
from accounts.proxies.services import terms_of
from visits.reminders.grants import Change
from visits.reminders.models import Communication
from visits.reminders.services import rules

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason


def tell_of_grant(person: RelatedPerson, before: RelatedPerson | None) -> None:
    """Plan the message, in the transaction of the change; nothing where it is no news to the patient.

    By e-mail, or else by text. Where it cannot reach the patient, it goes to who else stands in their place by law
    (45 CFR 164.502(g)), or is written down as not sent; what fails later goes the next way, by ``tell_otherwise``.
    ``before`` is the grant as it was, None of a new one.
    """
    details = terms_of(person) | {"change": Change.GRANTED, "has_moved": False}
    if person.revoked_at is not None:
        details["change"] = Change.ENDED
    elif before is not None:
        if _facts(person) == _facts(before):
            return
        details |= {"change": Change.CHANGED, "has_moved": _address(person) != _address(before)}
    last = _told(person).order_by("-serial").values_list("serial", flat=True).first()
    serial = 0 if last is None else last + 1
    ways = _ways(person, None, details, serial)
    # Of what keeps a message from going out, that there is no address says least.
    untold = min(ways, key=lambda one: one.reason == Reason.NO_ADDRESS)
    _save(_open(ways)[:1] or _to_guardians(person, details, serial) or [untold])


def tell_otherwise(lost: Communication) -> None:
    """Plan the same word by the next way, in the transaction that notes that ``lost`` reached nobody: by the other
    channel, or else to who stands in the patient's place. Nothing where no way is left."""
    person = lost.grant
    same = _told(person).filter(serial=lost.serial, related_person=lost.related_person)
    tried = set(same.values_list("channel", flat=True))
    ways = _open(_ways(person, lost.related_person, lost.details, lost.serial))
    found = [one for one in ways if one.channel not in tried][:1]
    if lost.related_person is None:
        found = found or _to_guardians(person, lost.details, lost.serial)
    _save(found)


def _told(person: RelatedPerson) -> QuerySet[Communication]:
    return Communication.objects.filter(patient=person.patient, kind=Kind.GRANT, reference=person.pk.hex)


def _ways(
    person: RelatedPerson, recipient: RelatedPerson | None, details: dict[str, Any], serial: int
) -> list[Communication]:
    """The message to the recipient by each channel, not saved, with what keeps it from going out."""
    found = [
        Communication(
            patient=person.patient,
            related_person=recipient,
            kind=Kind.GRANT,
            channel=channel,
            serial=serial,
            reference=person.pk.hex,
            details=details,
            due_at=timezone.now(),
        )
        for channel in rules.channels(person.clinic, Kind.GRANT)
    ]
    for one in found:
        one.reason = rules.why_not(one, now=one.due_at)
        one.state = State.SUPPRESSED if one.reason else State.PLANNED
    return found


def _open(ways: list[Communication]) -> list[Communication]:
    return [one for one in ways if not one.reason]


def _to_guardians(person: RelatedPerson, details: dict[str, Any], serial: int) -> list[Communication]:
    """To each who acts for the patient by law and can be reached, but for ``person``, by the first channel."""
    grants = RelatedPerson.objects.select_related("patient__clinic").filter(patient=person.patient, revoked_at=None)
    others = grants.exclude(basis=RelatedPerson.Basis.PATIENT).exclude(pk=person.pk)
    return [way for one in others for way in _open(_ways(person, one, details, serial))[:1]]


def _save(messages: list[Communication]) -> None:
    for one in messages:
        one.save(force_insert=True)


def _facts(person: RelatedPerson) -> tuple[object, ...]:
    """What the patient would want to know of: all but the desk's note and the language."""
    return person.full_name, terms_of(person), _address(person)


def _address(person: RelatedPerson) -> tuple[str, str]:
    return normal_email(person.email), normal_phone(person.phone, person.clinic.time_zone)
