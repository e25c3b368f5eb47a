"""The addresses in messages. None signs in: the visit's link asks for the birth date, the others do one thing.

Tokens are signed and stored nowhere. They open what they name and nothing else, and only by POST.
"""

import uuid
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts.links import services as links
from accounts.models import AccessLink, Patient, RelatedPerson, User
from visits.booking.models import Appointment
from visits.reminders.models import Communication

Kind = Communication.Kind

LINK_GRACE = timedelta(hours=4)  # visits run late; the links of one that ended end with it anyhow
TO_THE_VISIT = {Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.REMINDER, Kind.FORM_MISSING, Kind.CLINICIAN_WAITING,
                Kind.RUNNING_LATE}  # fmt: skip
ANSWERABLE = {Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.REMINDER}

_answers = signing.Signer(salt="reminders.answer")
_stops = signing.Signer(salt="reminders.stop")


class UnknownToken(Exception):
    """Nobody of ours signed this."""


def to_visit(message: Communication) -> str:
    """A link of the message's own: only its hash is kept, so an earlier one cannot be told again.

    Empty where there is nothing to open: a visit that will not take place. One by phone opens to be moved or cancelled.
    """
    if message.kind in settings.MESSAGE_LINKS:
        return str(import_string(settings.MESSAGE_LINKS[message.kind])(message))
    visit = message.appointment
    if visit is None or message.kind not in TO_THE_VISIT:
        return ""
    return issue(visit, related_person=message.related_person)[1]


def issue(
    visit: Appointment, *, related_person: RelatedPerson | None = None, created_by: User | None = None
) -> tuple[AccessLink, str]:
    """A new link that opens the visit for its patient, or for who acts for them, and its address, which cannot be told
    again."""
    return links.issue(
        kind=kind_of(related_person),
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=visit.end + LINK_GRACE,
        patient=visit.patient,
        related_person=related_person,
        created_by=created_by,
    )


def kind_of(related_person: RelatedPerson | None) -> AccessLink.Kind:
    """Of a patient's link, or that of who acts for them."""
    return AccessLink.Kind.PROXY if related_person else AccessLink.Kind.PATIENT


def to_answer(message: Communication) -> str:
    """Where the patient, or who manages their visits, says that they come, or cancels; empty for messages that ask for
    nothing."""
    if message.kind not in ANSWERABLE or not is_answerable(message):
        return ""
    return settings.BASE_URL + reverse("reminders:answer", kwargs={"token": _answers.sign(message.pk.hex)})


def is_answerable(message: Communication) -> bool:
    """Whether its recipient may confirm and cancel: the patient, or who manages their visits now."""
    person = message.related_person
    return person is None or (person.manages and person.is_active())


def answered(token: str) -> uuid.UUID:
    """The message that ``to_answer`` made this for. Raises UnknownToken."""
    return uuid.UUID(_unsign(_answers, token))


def to_stop(recipient: Patient | RelatedPerson, channel: str) -> str:
    """Where they say that they want no more of these by ``channel``."""
    token = _stops.sign(f"{recipient.pk.hex}.{channel}")
    return settings.BASE_URL + reverse("reminders:stop", kwargs={"token": token})


def stopped(token: str) -> tuple[uuid.UUID, str]:
    """The recipient's id and the channel that ``to_stop`` made this for. Raises UnknownToken."""
    pk, _, channel = _unsign(_stops, token).partition(".")
    return uuid.UUID(pk), channel


def _unsign(signer: signing.Signer, token: str) -> str:
    try:
        return signer.unsign(token)
    except signing.BadSignature:
        raise UnknownToken from None
