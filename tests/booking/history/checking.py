"""What must be true of a history, looked at from the outside. Each check yields what is wrong, in words."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations, islice, pairwise
from typing import Any

from django.db.models import Count

from accounts.models import AuditEvent
from tests import factories
from tests.booking.history.clients import Held, Memory, Told
from tests.booking.history.world import World
from visits.booking import services
from visits.booking.models import Appointment, AppointmentChange, busy
from visits.booking.services.history import AUDIT_SUBTYPES

MOST = 20  # of each kind are shown
Span = tuple[datetime, datetime]
Key = tuple[Any, str, int]  # visit, change, revision


def check(world: World, memory: Memory) -> list[str]:
    """Everything that is wrong. The look for lost slots comes last, since it books all that is left."""
    told = {_key(one): one for one in memory.told}
    noted = list(AppointmentChange.objects.order_by("pk"))
    kinds = [
        iter(memory.failures),
        unheard(told, noted),
        overlaps(told, noted),
        final_states(told, noted),
        broken_holds(memory),
        unaudited(),
        lost_slots(world),
    ]
    return [words for kind in kinds for words in islice(kind, MOST)]


def unheard(told: dict[Key, Told], noted: list[AppointmentChange]) -> Iterator[str]:
    """Whatever a client was told is noted in the history, so often as it happened, and nothing else is."""
    rows: dict[Key, AppointmentChange] = {}
    for row in noted:
        key = (row.appointment_id, str(row.change), row.revision)
        if key in rows:
            yield f"noted twice: {key}"
        rows[key] = row
    for key, one in told.items():
        row = rows.get(key)
        if row is None:
            yield f"told, but not noted: {key}"
        elif (row.start, row.practitioner_id) != (one.start, one.practitioner):
            yield f"told {one.start}, but noted {row.start}: {key}"
    for key in rows.keys() - told.keys():
        yield f"noted, but told to nobody: {key}"


def overlaps(told: dict[Key, Told], noted: list[AppointmentChange]) -> Iterator[str]:
    """At no moment two active visits of one clinician or patient: the changes one after the other, as committed.

    What was freed is noted before it is taken again, since who takes it has seen the change.
    """
    clinicians: defaultdict[Any, dict[Any, Span]] = defaultdict(dict)
    patients: defaultdict[Any, dict[Any, Span]] = defaultdict(dict)
    where: dict[Any, tuple[Any, Any]] = {}
    for row in noted:
        visit = row.appointment_id
        one = told.get((visit, str(row.change), row.revision))
        if one is None:
            continue  # which ``unheard`` says
        if visit in where:
            clinician, patient = where.pop(visit)
            del clinicians[clinician][visit], patients[patient][visit]
        if row.change == AppointmentChange.Change.CANCELLED:
            continue
        for people, who, span in (
            (clinicians, one.practitioner, one.busy),
            (patients, one.patient, (one.start, one.end)),
        ):
            for other, taken in people[who].items():
                if _cross(span, taken):
                    yield f"{visit} over {other} at {row.start}, change {row.pk}"
            people[who][visit] = span
        where[visit] = one.practitioner, one.patient


def final_states(told: dict[Key, Told], noted: list[AppointmentChange]) -> Iterator[str]:
    """Each visit stands where its last change left it, after changes that follow from each other."""
    changes: defaultdict[Any, list[AppointmentChange]] = defaultdict(list)
    for row in noted:
        changes[row.appointment_id].append(row)
    visits = list(Appointment.objects.all())
    for visit in visits:
        rows = changes[visit.pk]
        if [row.revision for row in rows] != list(range(len(rows))) or rows[0].change != "booked":
            yield f"{visit.pk} has the revisions {[(row.change, row.revision) for row in rows]}"
            continue
        for before, after in pairwise(rows):
            came_from = (after.old_start, after.old_practitioner_id)
            if after.change == "moved" and came_from != (before.start, before.practitioner_id):
                yield f"{visit.pk} moved from {came_from}, but was at {before.start}"
        last = rows[-1]
        is_state = (visit.start, visit.practitioner_id, visit.revision, visit.status == "cancelled")
        if is_state != (last.start, last.practitioner_id, last.revision, last.change == "cancelled"):
            yield f"{visit.pk} is {is_state}, but its last change was {last}"
    active: defaultdict[Any, list[Span]] = defaultdict(list)
    for visit in visits:
        if visit.status in Appointment.ACTIVE:
            active[visit.practitioner_id].append((visit.busy_start, visit.busy_end))
            active[visit.patient_id].append((visit.start, visit.end))
    for spans in active.values():
        yield from (f"in the end {one} over {other}" for one, other in combinations(spans, 2) if _cross(one, other))


def broken_holds(memory: Memory) -> Iterator[str]:
    """While somebody holds a time, nobody else is told that they booked it, moved there, or hold it."""
    taken: defaultdict[Any, list[Told | Held]] = defaultdict(list)
    for one in [*memory.told, *memory.held]:
        if not isinstance(one, Told) or one.verb != "cancelled":
            taken[one.practitioner].append(one)
    for rows in taken.values():
        rows.sort(key=lambda row: row.asked)
    for held in memory.held:
        rows = taken[held.practitioner]
        for one in rows[bisect_left(rows, held.heard, key=lambda row: row.asked) :]:
            if one.asked >= held.until:
                break
            if one.heard < held.until and held.hold not in one.own and _cross(one.busy, held.busy):
                yield f"{held.hold}, held from {held.heard} to {held.until}, was given away: {one}"


def unaudited() -> Iterator[str]:
    """As many audit events of each kind as changes."""
    changes = dict(AppointmentChange.objects.order_by().values_list("change").annotate(Count("pk")))
    for change, subtype in AUDIT_SUBTYPES.items():
        events = AuditEvent.objects.filter(subtype=subtype).count()
        if events != changes.get(change, 0):
            yield f"{changes.get(change, 0)} times {change}, but {events} audit events"


def lost_slots(world: World) -> Iterator[str]:
    """Every time is either free, and then can be booked, or a visit is in its way."""
    for practitioner in world.practitioners:
        for visit_type in world.visit_types:
            found = world.times(practitioner, visit_type)
            active = practitioner.appointments.filter(status__in=Appointment.ACTIVE)
            spans = list(active.values_list("busy_start", "busy_end"))
            for slot in found.all:
                wanted = busy(visit_type, slot.start, slot.end)
                if (slot in found.free) == any(_cross(wanted, span) for span in spans):
                    yield f"{slot} of {visit_type} is {'free over a visit' if slot in found.free else 'lost'}"
            for slot in found.free:
                try:
                    services.book(
                        principal=world.principals[0],
                        practitioner=practitioner,
                        patient=factories.make_patient(world.clinic),
                        visit_type=visit_type,
                        start=slot.start,
                    )
                except services.BookingError as refusal:
                    yield f"{slot} of {visit_type} is free, but cannot be booked: {refusal!r}"


def _key(told: Told) -> Key:
    """What the client heard of; what it did twice, it heard of as the change that stood."""
    if told.verb == "cancelled":
        return told.visit, told.verb, told.revision
    return told.visit, "moved" if told.revision else "booked", told.revision


def _cross(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
