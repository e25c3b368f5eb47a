"""A clinic with days behind it: visits at any hour, over midnight and in the nights in which clocks change."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.audit.digests import row_digest
from accounts.models import AuditEvent, Clinic, Patient, Practitioner
from tests import factories
from visits.booking.models import Appointment, AppointmentChange
from visits.dashboard.period import Period
from visits.reminders.models import Communication
from visits.room.models import Encounter, LineMinute, Seat
from visits.schedule.models import VisitType
from visits.waiting.models import Ticket

STATUSES = ["fulfilled"] * 6 + ["noshow", "cancelled", "booked", "arrived"]
REASONS = {"sent": "", "planned": "", "failed": "refused", "suppressed": "opted-out", "unknown": "no-answer"}
TRIED = ["user.signin", "mfa.verify", "recovery-codes.use", "user.lock", "user.signout"]
# Where levels and steps begin, and just beside.
LOSSES = [0.0, 0.001, 0.0011, 0.03, 0.0301, 0.1, 0.1001, 0.9]
TRIPS = [0.4, 10.0, 10.0001, 90.0, 300.0, 300.5, 800.0, 812]
SECOND = timedelta(seconds=1)


def period(clinic: Clinic, last: date, days: int = 30) -> Period:
    return Period(days, last, ZoneInfo(clinic.time_zone))


class Past:
    """Makes what was, at random but the same each time, on the days up to ``last`` and a day around them."""

    def __init__(self, practitioner: Practitioner, patient: Patient, last: date, days: int, seed: int) -> None:
        self.practitioner, self.patient = practitioner, patient
        self.clinic, self.user = practitioner.clinic, practitioner.user
        self.zone, self.last, self.days = ZoneInfo(self.clinic.time_zone), last, days
        self.random = random.Random(seed)
        self.visit_type: VisitType = factories.make_visit_type(self.clinic)
        self.taken: set[datetime] = set()

    def moment(self) -> datetime:
        """A minute that had nothing yet, more often near midnight than not, and in the hour that comes twice."""
        while True:
            day = self.last - timedelta(days=self.random.randrange(-1, self.days + 1))
            hour = self.random.choice([0, 1, 2, 23, self.random.randrange(24)])
            wall = datetime.combine(day, time(hour, self.random.randrange(60)), self.zone)
            moment = wall.replace(fold=self.random.randrange(2)).astimezone(UTC)
            if moment not in self.taken:
                self.taken.add(moment)
                return moment

    def after(self, moment: datetime, *, least: int = 0) -> datetime:
        """Some minutes later, often whole ones or a hair more."""
        hair = timedelta(microseconds=self.random.choice([-1, 0, 0, 1, self.random.randrange(60_000_000)]))
        return max(moment + timedelta(minutes=self.random.randrange(least, 40)) + hair, moment + least * 60 * SECOND)

    def visit(self) -> Appointment:
        start = self.moment()
        visit = factories.make_visit(
            self.practitioner, patient=self.patient, visit_type=self.visit_type, start=start,
            end=start + timedelta(minutes=1), status=self.random.choice(STATUSES),
        )  # fmt: skip
        if self.random.random() < 0.2:
            self.move(visit)
        if self.random.random() < 0.7:
            self.hold(visit)
        return visit

    def move(self, visit: Appointment) -> None:
        """To another day, perhaps out of the period: it belongs to where it is now."""
        old, start = visit.start, self.moment()
        visit.start, visit.end, visit.revision = start, start + timedelta(minutes=1), visit.revision + 1
        visit.save()
        AppointmentChange.objects.create(
            appointment=visit, change="moved", revision=visit.revision, start=start, old_start=old,
            practitioner=self.practitioner, old_practitioner=self.practitioner,
        )  # fmt: skip

    def hold(self, visit: Appointment) -> None:
        arrived = self.after(visit.start, least=-30)
        is_in = self.random.random() < 0.9
        Ticket.objects.create(
            appointment=visit, arrived_at=arrived, admitted_at=self.after(arrived) if is_in else None,
            admitted_by=self.user if is_in else None,
        )  # fmt: skip
        encounter = Encounter.objects.create(
            appointment=visit, started_at=self.after(visit.start, least=-10), encryption="required"
        )
        seat = Seat.objects.create(encounter=encounter, user=self.user, name="Amara", role="clinician")
        LineMinute.objects.bulk_create(
            LineMinute(seat=seat, minute=visit.start + timedelta(minutes=n), seconds=60, relay=self.line())
            for n in range(self.random.randrange(4))
        )

    def line(self) -> dict[str, list[float]]:
        values = {
            "loss_up": self.random.choice(LOSSES),
            "loss_down": self.random.choice(LOSSES),
            "round_trip": self.random.choice(TRIPS),
        }
        known = self.random.sample(sorted(values), self.random.randrange(4))
        return {"up": [0, 9000, 10000]} | {name: [0.0, values[name], 2 * values[name]] for name in known}

    def message(self) -> None:
        state = self.random.choice(list(REASONS))
        at = self.moment()
        Communication.objects.create(
            patient=self.patient, kind="offer", reference=str(at), due_at=at, state=state, reason=REASONS[state],
            sent_at=at if state == "sent" else None, dispatched_at=at,
        )  # fmt: skip

    def try_to_sign_in(self) -> None:
        event = AuditEvent(
            clinic=self.clinic, recorded=self.moment(), action="E", subtype=self.random.choice(TRIED),
            outcome=self.random.choice(AuditEvent.Outcome.values),
        )  # fmt: skip
        event.digest = row_digest(event)
        event.save()


@pytest.fixture
def fill() -> "Fill":
    """``fill(practitioner, patient, last, days)``: two periods, and a day around, of everything that is counted."""

    def make(
        practitioner: Practitioner, patient: Patient, last: date, days: int, seed: int = 5, much: int = 60
    ) -> None:
        past = Past(practitioner, patient, last, 2 * days, seed)
        for _ in range(much):
            past.visit()
            past.message()
            past.try_to_sign_in()

    return make


Fill = Callable[..., None]
