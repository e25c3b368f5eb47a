"""Booking by somebody whom nobody has seen: a time is kept, an address is proved, then there is a visit."""

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import codes
from accounts.audit import services as audit
from accounts.audit.address import caller_network
from accounts.language import page_language
from accounts.limit import too_many
from accounts.links import services as links
from accounts.models import AuditEvent, Clinic, Patient
from visits.booking import patients
from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.booking.patients import Details
from visits.booking.services.locks import lock_practitioners
from visits.online.models import Verification
from visits.online.picker import Picker
from visits.reminders.links import issue
from visits.reminders.services import rules
from visits.schedule.models import VisitType

# Of one network, before anybody there has proved an address: a clinic's whole week is not kept by one, and the
# households behind a carrier's one address still book beside each other.
HELD_AT_ONCE = 5
HOLDS_PER_CALLER = 30  # in ten minutes
WALK_INS_PER_CALLER = 30  # begun in ten minutes: each is a session on the server
TEN_MINUTES = 600


class TooManyHolds(Exception):
    """So many times are kept for callers from this network, or were a moment ago, that no more are for a while."""


class NotFree(Exception):
    """Nobody can be had at that time any more."""


def begins_too_often(request: HttpRequest) -> bool:
    """Count one more who comes without an appointment; whether so many did from this place that no more may yet."""
    return too_many(f"walk-in:{caller_network(request)}", times=WALK_INS_PER_CALLER, seconds=TEN_MINUTES)


def keep_time(*, picker: Picker, start: datetime, request: HttpRequest) -> Hold:
    """Keep ``start`` with the clinician who was chosen, or with the fairest who is free; let go of what was kept.

    Raises NotFree, and TooManyHolds.
    """
    network = caller_network(request)
    if too_many(f"hold:{network}", times=HOLDS_PER_CALLER, seconds=TEN_MINUTES):
        raise TooManyHolds
    if picker.visit_type is None:
        raise NotFree
    caller = salted_hmac("online.hold", network, algorithm="sha256").hexdigest() if network else None
    with transaction.atomic():
        # Whoever asks at the same moment waits here, and counts the hold that this one makes.
        clinic = Clinic.objects.select_for_update(no_key=True).get(pk=picker.clinic.pk)
        if picker.hold is not None:
            booking.release(picker.hold)
        held = clinic.holds.filter(caller=caller, expires_at__gt=timezone.now())
        if caller and held.count() >= HELD_AT_ONCE:
            raise TooManyHolds
        for practitioner in picker.who_is_free(start):
            with suppress(booking.SlotTaken, booking.NotAvailable):
                return booking.hold(
                    principal=None,
                    practitioner=practitioner,
                    visit_type=picker.visit_type,
                    start=start,
                    caller=caller,
                )
        raise NotFree


def book(*, verification: str, code: str, hold: Hold, details: Details, zone: str, request: HttpRequest) -> Appointment:
    """Book what is held, for who proves with ``code`` that the address is theirs.

    Raises codes.CodeEnded, codes.WrongCode, and what ``booking.book`` raises: then the code stays good.
    """

    def visit_of(patient: Patient) -> Appointment:
        return booking.book(
            principal=None,
            practitioner=hold.practitioner,
            patient=patient,
            visit_type=hold.visit_type,
            start=hold.start,
            hold=hold,
            origin=Appointment.Origin.ONLINE,
        )

    return _confirm(verification, code, details, zone, request, visit_of, [hold.practitioner_id])


def walk_in(
    *, verification: str, code: str, visit_type: VisitType, details: Details, zone: str, request: HttpRequest
) -> Appointment:
    """A visit that begins now, for who proves with ``code`` that the address is theirs.

    Raises codes.CodeEnded, codes.WrongCode, and what ``booking.walk_in`` raises: then the code stays good.
    """

    def visit_of(patient: Patient) -> Appointment:
        return booking.walk_in(principal=None, patient=patient, visit_type=visit_type)

    people = visit_type.clinic.practitioners.filter(is_active=True)
    return _confirm(verification, code, details, zone, request, visit_of, people.values_list("pk", flat=True))


def _confirm(
    verification: str,
    code: str,
    details: Details,
    zone: str,
    request: HttpRequest,
    visit_of: Callable[[Patient], Appointment],
    practitioners: Iterable[uuid.UUID],
) -> Appointment:
    """``visit_of`` books, with one of ``practitioners``."""
    with transaction.atomic():
        row: Verification = codes.lock(Verification, pk=verification)
        right = row.answer(row.is_right(code))
        if right:
            visit = visit_of(_patient(row, details, zone, request, practitioners))
        else:
            audit.record(
                "booking.code",
                AuditEvent.Action.EXECUTE,
                clinic=row.clinic,
                entity=row,
                outcome=AuditEvent.Outcome.MINOR_FAILURE,
                request=request,
                detail={"wrong": row.failures},
            )
    if not right:
        raise codes.refusal(row)
    _open_here(visit, request)
    return visit


def _patient(
    row: Verification, details: Details, zone: str, request: HttpRequest, practitioners: Iterable[uuid.UUID]
) -> Patient:
    """The clinic's patient of this name and birth date whose address was proved; else a new one.

    Of who has the same name and birth date and another address nobody can say whether it is the same person: a
    second record can be looked at by staff, a stranger's visit in the first one could not be taken back.
    """
    # Whoever proves the same person at the same moment waits here, and finds the patient that this one adds.
    clinic = Clinic.objects.select_for_update(no_key=True).get(pk=row.clinic_id)
    same = sorted(patients.same_person(clinic, details), key=lambda one: one.created_at)
    known = next((one for one in same if _is_address_of(row, one)), None)
    if known is not None:
        if not known.time_zone:
            lock_practitioners(clinic, practitioners)  # before the patient, as everybody does who books
            known.time_zone = zone
            known.save(update_fields=["time_zone"])
        return known
    patient = Patient.objects.create(
        clinic=clinic,
        given_name=details.given_name,
        family_name=details.family_name,
        birth_date=details.birth_date,
        email=row.address if row.channel == Verification.Channel.EMAIL else "",
        phone=row.address if row.channel == Verification.Channel.SMS else "",
        language=page_language(),
        time_zone=zone,
    )
    audit.record(
        "patient.add",
        AuditEvent.Action.CREATE,
        clinic=clinic,
        entity=patient,
        patient=patient,
        request=request,
        detail={"by": "online booking", "same": len(same)},
    )
    return patient


def _is_address_of(row: Verification, patient: Patient) -> bool:
    return bool(rules.address_of(patient, row.channel).casefold() == row.address.casefold())


def _open_here(visit: Appointment, request: HttpRequest) -> None:
    """They gave what a visit's link asks for, and read its address: open the visit in this browser."""
    link, _url = issue(visit)
    links.redeem(request=request, link=link, birth_date=visit.patient.birth_date)
