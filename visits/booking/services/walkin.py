"""Who comes without an appointment gets a visit that begins now."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404
from django.utils import timezone

from accounts.models import Clinic, Patient, Practitioner
from accounts.principal import Principal
from visits.booking.errors import Closed, NobodyFree, SlotTaken
from visits.booking.models import Appointment
from visits.booking.services.booking import may_book, take
from visits.booking.services.locks import lock_patient, lock_practitioner
from visits.schedule.hours import clinic_is_open, rules_of, zone_of
from visits.schedule.models import SchedulePolicy, VisitType
from visits.schedule.wall_clock import midnight, wall_of


def takes_walk_ins(clinic: Clinic, now: datetime | None = None) -> bool:
    """Whether a patient may come without an appointment now: the clinic allows it and is open."""
    return SchedulePolicy.of(clinic).walk_ins and clinic_is_open(clinic, now or timezone.now())


def walk_in(*, principal: Principal | None, patient: Patient, visit_type: VisitType) -> Appointment:
    """Give the patient a visit that begins this minute, with who is at work, free, and has had the fewest today.

    Asked for again while that visit lasts, it is the same visit. ``principal`` None is the system itself.

    Raises Closed, NobodyFree, PatientBusy, Http404 for what belongs to another clinic, PermissionDenied.
    """
    may_book(principal)
    clinic = principal.clinic if principal else patient.clinic
    if visit_type.clinic_id != clinic.pk or patient.clinic_id != clinic.pk:
        raise Http404
    start = timezone.now().replace(second=0, microsecond=0)
    if not (visit_type.is_active and takes_walk_ins(clinic, start)):
        raise Closed
    for practitioner in _at_work(clinic, visit_type, start):
        visit = Appointment(
            clinic=clinic,
            practitioner=practitioner,
            patient=patient,
            visit_type=visit_type,
            start=start,
            end=start + timedelta(minutes=visit_type.minutes),
            mode=visit_type.mode,
            origin=Appointment.Origin.WALK_IN,
            created_by=principal.user if principal else None,
        )
        try:
            return _walk_in(principal, visit)
        except SlotTaken:
            continue
    raise NobodyFree


def _walk_in(principal: Principal | None, visit: Appointment) -> Appointment:
    with transaction.atomic():
        visit.practitioner = lock_practitioner(visit.clinic, visit.practitioner_id)
        visit.patient = lock_patient(visit.clinic, visit.patient_id)
        already = Appointment.objects.filter(
            patient=visit.patient,
            origin=visit.origin,
            created_by=visit.created_by,
            status__in=(Appointment.Status.BOOKED, Appointment.Status.ARRIVED),
            start__lte=visit.start,
            end__gt=visit.start,
        ).first()
        if already is not None:
            return already
        take(visit, principal, timezone.now())
        return visit


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
        if any(opens <= wall and end <= closes for opens, closes in rules[one.pk].open_on(day))
    ]
