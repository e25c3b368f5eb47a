"""The weeks before the demo's days, so that there is something to count: rows in bulk, what pages count alone."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from accounts.audit.digests import row_digest
from accounts.models import AccessLink, AuditEvent, User
from visits.booking.models import Appointment, busy
from visits.demo import cast
from visits.demo.days import EARLY, LATE, OPENS, PAST_DAYS, Days, link_of, presence_of, seats_of
from visits.demo.lines import MINUTE, minutes_of
from visits.reminders.models import Communication
from visits.reminders.models.policy import DEFAULT_LEADS
from visits.room.models import Encounter, LineMinute, Presence, Seat
from visits.waiting.models import Ticket

Status = Appointment.Status
State = Communication.State
Reason = Communication.Reason

DAYS = 61
EACH_DAY = 6
ENDINGS = [Status.FULFILLED] * 26 + [Status.NOSHOW] * 2 + [Status.CANCELLED] * 3
STATES = [(State.SENT, Reason.NONE)] * 40 + [
    (State.SUPPRESSED, Reason.OPTED_OUT),
    (State.SUPPRESSED, Reason.SUPERSEDED),
    (State.FAILED, Reason.REFUSED),
    (State.UNKNOWN, Reason.NO_ANSWER),
]
REFUSALS = ["user.signin"] * 6 + ["mfa.verify"] * 3 + ["user.lock"]


class History:
    """Fills the weeks before what ``days`` filled, in the same way each time."""

    def __init__(self, days: Days) -> None:
        self.days = days
        # Nothing secret hangs on it.
        self.random = random.Random(11)  # noqa: S311

    def fill(self) -> None:
        visits = Appointment.objects.bulk_create(self._visits(), batch_size=500)
        Communication.objects.bulk_create([row for visit in visits for row in self._messages(visit)], batch_size=500)
        held = [visit for visit in visits if visit.status == Status.FULFILLED]
        began = {visit.pk: visit.start + self.random.choice((*LATE, *LATE, 13, 19)) * MINUTE for visit in held}
        Ticket.objects.bulk_create(self._ticket(visit, began[visit.pk]) for visit in held)
        encounters = Encounter.objects.bulk_create(self._encounter(visit, began[visit.pk]) for visit in held)
        links = AccessLink.objects.bulk_create(link_of(visit) for visit in held)
        seats = Seat.objects.bulk_create(
            seat for one, link in zip(encounters, links, strict=True) for seat in seats_of(one, link)
        )
        Presence.objects.bulk_create(presence_of(seat) for seat in seats)
        # Of every third: there is enough to count.
        minutes = [row for seat in seats[::6] for row in minutes_of(seat, self.random)]
        LineMinute.objects.bulk_create(minutes, batch_size=1000)
        ago = (timedelta(days=number, minutes=self.random.randrange(1440)) for number in range(DAYS))
        for at in sorted(self.days.now - one for one in ago):  # the trail is read in the order of its writing
            self._refuse(at)

    def _visits(self) -> Iterator[Appointment]:
        today, patients = self.days.today, self.days.patients
        for day in (today - timedelta(days=PAST_DAYS + 1 + n) for n in range(DAYS)):
            if day.weekday() >= 5:
                continue
            for place, practitioner in enumerate(self.days.practitioners[:3]):
                for slot in sorted(self.random.sample(range(13), EACH_DAY - self.random.randrange(3))):
                    start = datetime.combine(day, OPENS, self.days.zone).astimezone(UTC) + 40 * slot * MINUTE
                    visit_type = self.random.choice(list(self.days.types.values()))
                    end = start + visit_type.minutes * MINUTE
                    busy_start, busy_end = busy(visit_type, start, end)
                    yield Appointment(
                        clinic=self.days.clinic,
                        practitioner=practitioner,
                        # Nobody is in two places at once: three clinicians, three patients in a row.
                        patient=patients[(3 * slot + place) % len(patients)],
                        visit_type=visit_type,
                        start=start,
                        end=end,
                        busy_start=busy_start,
                        busy_end=busy_end,
                        status=self.random.choice(ENDINGS),
                        created_at=start - timedelta(days=5),
                    )

    def _messages(self, visit: Appointment) -> Iterator[Communication]:
        for lead in (0, *(one.minutes for one in DEFAULT_LEADS)):
            state, reason = self.random.choice(STATES)
            due_at = visit.start - lead * MINUTE if lead else visit.created_at
            yield Communication(
                appointment=visit,
                patient=visit.patient,
                start=visit.start,
                kind=Communication.Kind.REMINDER if lead else Communication.Kind.CONFIRMATION,
                lead=lead,
                due_at=due_at,
                planned_at=visit.created_at,
                state=state,
                reason=reason,
                sent_at=due_at if state == State.SENT else None,
                dispatched_at=None if state == State.SUPPRESSED else due_at,
            )

    def _ticket(self, visit: Appointment, began: datetime) -> Ticket:
        arrived = visit.start - self.random.choice(EARLY) * MINUTE
        user = visit.practitioner.user
        return Ticket(appointment=visit, arrived_at=arrived, admitted_at=began, admitted_by=user, finished_at=visit.end)

    def _encounter(self, visit: Appointment, began: datetime) -> Encounter:
        return Encounter(
            appointment=visit,
            status=Encounter.Status.FINISHED,
            started_at=began,
            ended_at=max(visit.end, began + 5 * MINUTE),
            ended_by=visit.practitioner.user,
            encryption=visit.clinic.encryption,
        )

    def _refuse(self, at: datetime) -> None:
        """Somebody mistyped something, or tried."""
        user = User.objects.get(email=self.random.choice(cast.RIVERSIDE_STAFF).email)
        event = AuditEvent(
            recorded=at,
            clinic=self.days.clinic,
            action=AuditEvent.Action.EXECUTE,
            subtype=self.random.choice(REFUSALS),
            outcome=AuditEvent.Outcome.MINOR_FAILURE,
            entity_type="User",
            entity_id=str(user.pk),
            detail={"account": "known"},
        )
        event.digest = row_digest(event)
        event.save(force_insert=True)
