"""What of a record says who somebody is, or what they said, and how it is taken out. All else is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.models import AccessLink, EmergencyAccess, Patient, RelatedPerson
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import CheckIn
from visits.intake.models import QuestionnaireResponse
from visits.records.models import LegalHold, RecordCopy
from visits.reminders.models import Communication, ContactPreference
from visits.room.models import LineMinute, Seat
from visits.summary.models import Composition
from visits.waitlist.models import WaitlistEntry

Rows = QuerySet[Any]
# What stands where a name was; the database wants one.
NOBODY = "-"


@dataclass(frozen=True)
class Part:
    """``rows`` are those of a patient that still have what is to go; ``erase`` leaves none."""

    label: Promise
    rows: Callable[[Patient], Rows]
    erase: Callable[[Rows], object]


def blanked(*names: str) -> Callable[[Rows], object]:
    """Empties the columns; of sealed ones "" is the only value that needs no row."""
    return lambda rows: rows.update(**dict.fromkeys(names, ""))


def deleted(rows: Rows) -> object:
    return rows.delete()


def _messages(patient: Patient) -> Rows:
    return Communication.objects.filter(patient=patient).exclude(address="", provider_id="")


def _check_ins(patient: Patient) -> Rows:
    rows = CheckIn.objects.filter(appointment__patient=patient)
    return rows.exclude(callback_phone="", location="", emergency_contact="")


def _guests(patient: Patient) -> Rows:
    visits = Appointment.objects.filter(patient=patient).values("pk")
    return AccessLink.objects.filter(resource_id__in=visits, kind=AccessLink.Kind.GUEST).exclude(name=NOBODY)


def _seats(patient: Patient) -> Rows:
    """The patient's, their guests' and of who acts for them; staff have names of their own."""
    seats = Seat.objects.filter(encounter__appointment__patient=patient)
    by_account = Q(user__patient=patient) | Q(user__related_person__patient=patient)
    return seats.filter(Q(user=None) | by_account).exclude(name=NOBODY)


def _end_copies(rows: Rows) -> object:
    """A worker that is making one finds that it is not wanted any more."""
    State = RecordCopy.State
    now = timezone.now()
    rows.filter(state=State.ASKED).update(state=State.DECLINED, closed_at=now)
    rows.filter(state__in=RecordCopy.UNDER_WAY).update(state=State.GONE, content="", closed_at=now)
    return rows.update(reason="")


def _end_grants(rows: Rows) -> object:
    """The database wants a person with each end; where the system erases, there is only who granted it."""
    rows.filter(revoked_at=None).update(revoked_at=timezone.now(), revoked_by=F("granted_by"))
    return rows.update(
        given_name="",
        family_name="",
        name_hash="",
        email="",
        email_hash="",
        phone="",
        basis_note="",
        messages="patient",
    )


PARTS = [
    Part(
        gettext_lazy("Summaries of visits"),
        lambda patient: Composition.objects.filter(appointment__patient=patient),
        deleted,
    ),
    Part(
        gettext_lazy("Answers before visits"),
        lambda patient: QuestionnaireResponse.objects.filter(appointment__patient=patient).exclude(answers=""),
        blanked("answers"),
    ),
    Part(
        gettext_lazy("Names of who may act for the patient"),
        lambda patient: RelatedPerson.objects.filter(patient=patient).exclude(given_name=""),
        _end_grants,
    ),
    Part(
        gettext_lazy("Place, call-back number and emergency contact of visits"),
        _check_ins,
        blanked("callback_phone", "location", "emergency_contact"),
    ),
    Part(
        gettext_lazy("Addresses that messages went to"),
        _messages,
        blanked("address", "address_hash", "provider_id"),
    ),
    Part(
        gettext_lazy("Wishes about messages"),
        lambda patient: ContactPreference.objects.filter(patient=patient),
        deleted,
    ),
    Part(
        gettext_lazy("Reasons of cancellations"),
        lambda patient: Appointment.objects.filter(patient=patient).exclude(cancelation_reason=""),
        blanked("cancelation_reason"),
    ),
    Part(
        gettext_lazy("Words in the history of visits"),
        lambda patient: AppointmentChange.objects.filter(appointment__patient=patient).exclude(reason=""),
        blanked("reason"),
    ),
    Part(gettext_lazy("Names of guests"), _guests, lambda rows: rows.update(name=NOBODY, relationship="")),
    Part(gettext_lazy("Names of people in video visits"), _seats, lambda rows: rows.update(name=NOBODY)),
    Part(
        gettext_lazy("Figures of lines in video visits"),
        lambda patient: LineMinute.objects.filter(seat__encounter__appointment__patient=patient),
        deleted,
    ),
    Part(
        gettext_lazy("Wishes to come earlier"),
        lambda patient: WaitlistEntry.objects.filter(appointment__patient=patient),
        deleted,
    ),
    Part(
        gettext_lazy("Copies of the record"),
        lambda patient: RecordCopy.objects.filter(patient=patient).exclude(reason="", closed_at__isnull=False),
        _end_copies,
    ),
    Part(
        gettext_lazy("Reasons of access in emergencies"),
        lambda patient: EmergencyAccess.objects.filter(patient=patient).exclude(reason="", note=""),
        blanked("reason", "note"),
    ),
    Part(
        gettext_lazy("Reasons of legal holds that have ended"),
        lambda patient: LegalHold.objects.filter(patient=patient).exclude(reason=""),
        blanked("reason"),
    ),
]
