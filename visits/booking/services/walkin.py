"""Who comes without an appointment gets a visit that begins now, or at the first free time of the day."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from accounts.models import Clinic, Patient, Practitioner, User
from accounts.policy import Role
from accounts.principal import Principal
from visits.booking import patients
from visits.booking.errors import Closed, NobodyFree, PatientBusy, SlotTaken
from visits.booking.models import Appointment
from visits.booking.services.booking import may_book, take
from visits.booking.services.locks import lock_patient, lock_practitioner
from visits.booking.times import free_slots_of_any
from visits.schedule.hours import clinic_is_open, day_of, rules_of, zone_of
from visits.schedule.models import SchedulePolicy, VisitType
from visits.schedule.wall_clock import DAY, midnight, wall_of

Status = Appointment.Status


def takes_walk_ins(clinic: Clinic, now: datetime | None = None) -> bool:
    """Whether a patient may come without an appointment now: the clinic allows it and is open."""
    return SchedulePolicy.of(clinic).walk_ins and clinic_is_open(clinic, now or timezone.now())


def walk_in_types(clinic: Clinic, *, for_patient: bool = False) -> QuerySet[VisitType]:
    """For what somebody can come without an appointment: a visit by phone has no line that they could join."""
    types = clinic.visit_types.filter(is_active=True, mode=VisitType.Mode.VIDEO)
    return types.filter(booked_by=VisitType.BookedBy.PATIENT) if for_patient else types


def walk_in(
    *,
    principal: Principal | None,
    patient: Patient,
    visit_type: VisitType,
    practitioner: Practitioner | None = None,
) -> Appointment:
    """Give the patient a visit that begins this minute, or at the first free time that is left today.

    With ``practitioner``; None: now with who is at work, free, and has had the fewest today, later with who is free
    first. The patient takes the place in line at once. Asked for again before that visit is over, it is the same
    visit. ``principal`` None is the patient, who comes by the clinic's public page.

    Raises Closed, also for a visit by phone, NobodyFree where nothing is left today, PatientBusy also for who is in
    line already, Http404 for what belongs to another clinic, PermissionDenied.
    """
    may_book(principal)
    clinic = principal.clinic if principal else patient.clinic
    if {visit_type.clinic_id, patient.clinic_id, practitioner.clinic_id if practitioner else clinic.pk} != {clinic.pk}:
        raise Http404
    start = timezone.now().replace(second=0, microsecond=0)
    if not (takes_walk_ins(clinic, start) and walk_in_types(clinic).filter(pk=visit_type.pk).exists()):
        raise Closed
    for one, at in _places(clinic, visit_type, practitioner, start):
        visit = Appointment(
            clinic=clinic,
            practitioner=one,
            patient=patient,
            visit_type=visit_type,
            start=at,
            end=at + timedelta(minutes=visit_type.minutes),
            mode=visit_type.mode,
            origin=Appointment.Origin.WALK_IN,
            created_by=principal.user if principal else None,
        )
        with suppress(SlotTaken):
            return _walk_in(principal, visit)
    raise NobodyFree


def walk_in_new_patient(
    *,
    principal: Principal,
    details: patients.Details,
    visit_type: VisitType,
    practitioner: Practitioner | None = None,
    despite_same: bool = False,
) -> Appointment:
    """Add a patient and give them a visit that begins this minute: both or neither. Sent twice, it is one of each.

    Raises what ``walk_in`` and ``patients.add`` raise.
    """
    may_book(principal)
    with transaction.atomic():
        # The same form sent twice at once: the second waits here, and then sees what the first has done.
        Clinic.objects.select_for_update(no_key=True).get(pk=principal.clinic.pk)
        now = timezone.now()
        for known in patients.same_person(principal.clinic, details):
            already = _same_walk_in(known, principal.user, now)
            if already is not None:
                return already
        patient = patients.add(principal=principal, details=details, despite_same=despite_same)
        return walk_in(principal=principal, patient=patient, visit_type=visit_type, practitioner=practitioner)


def _walk_in(principal: Principal | None, visit: Appointment) -> Appointment:
    with transaction.atomic():
        visit.practitioner = lock_practitioner(visit.clinic, visit.practitioner_id)
        visit.patient = lock_patient(visit.clinic, visit.patient_id)
        now = timezone.now()
        already = _same_walk_in(visit.patient, visit.created_by, now)
        if already is not None:
            return already
        waits = visit.patient.appointments.filter(status=Status.ARRIVED, end__gt=now - Appointment.LINE_CLOSES_AFTER)
        other = waits.select_related("practitioner", "patient").first()
        if other is not None:
            raise PatientBusy(other)
        take(visit, principal, now, role=Role.PATIENT)
        return visit


def _same_walk_in(patient: Patient, by: User | None, now: datetime) -> Appointment | None:
    """This walk-in, made before by the same person and not over: the button was pressed twice."""
    return patient.appointments.filter(
        origin=Appointment.Origin.WALK_IN,
        created_by=by,
        status__in=(Status.BOOKED, Status.ARRIVED),
        end__gt=now,
    ).first()


def _places(
    clinic: Clinic, visit_type: VisitType, wanted: Practitioner | None, now: datetime
) -> Iterator[tuple[Practitioner, datetime]]:
    """With whom, and when, the visit may be today: at once first, then each free time, the earliest first."""
    for one in _at_work(clinic, visit_type, now):
        if wanted in (None, one):
            yield one, now
    day = day_of(clinic, now)
    every = free_slots_of_any(
        clinic=clinic, visit_type=visit_type, first_day=day, last_day=day, now=now, for_patient=False
    )
    for slot, people in every:
        yield from ((one, slot.start) for one in people if wanted in (None, one))


def _at_work(clinic: Clinic, visit_type: VisitType, start: datetime) -> list[Practitioner]:
    """Who has hours for the visit from ``start`` to its end, those with the fewest visits of that day first."""
    zone = zone_of(clinic)
    wall = wall_of(start, zone)
    day, end = wall.date(), wall + timedelta(minutes=visit_type.minutes)
    today = Q(
        appointments__status__in=Appointment.ACTIVE,
        appointments__start__gte=midnight(day, zone),
        appointments__start__lte=start,
    )
    people = clinic.practitioners.filter(is_active=True).annotate(had=Count("appointments", filter=today))
    rules = rules_of(people, clinic=clinic, first_day=day, last_day=day, visit_type=visit_type)
    return [
        one
        for one in people.order_by("had", "name")
        if any(opens <= wall and end <= closes for opens, closes in rules[one.pk].open_between(day, day + DAY))
    ]
