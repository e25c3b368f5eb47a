"""What else happens in a clinic: a visit moved, one cancelled, a waitlist, a late clinician, mails that failed.

Rows alone, as ``days`` makes them: nobody gets a mail. Only the time that the cancelled visit leaves is really free, so
within seconds it is really offered to the first of the list.
"""

from datetime import datetime, timedelta

from accounts.models import Clinic, User
from accounts.policy import Role
from visits.booking.models import Appointment, AppointmentChange
from visits.demo import cast
from visits.demo.days import told, write_ledger
from visits.reminders.models import Communication
from visits.schedule.hours import day_of
from visits.waiting import late
from visits.waiting.models import Delay
from visits.waitlist.models import Opening, WaitlistEntry

Status = Appointment.Status
Change = AppointmentChange.Change
Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

# Places in the order of the coming visits.
MOVED, CANCELLED, WAITING = 2, 4, (-1, -4, -7)
# Places in the order of the mails that went out.
FAILED, UNKNOWN = (11, 40), (25,)
LATE = 15  # minutes


def happen(clinic: Clinic, now: datetime) -> None:
    """For a clinic whose days are new."""
    coming = clinic.appointments.filter(status=Status.BOOKED, start__gt=now + timedelta(days=1)).exclude(
        patient__email=""
    )
    visits = list(
        coming.select_related("clinic", "patient__clinic", "practitioner").order_by("start", "practitioner__name")
    )
    desk = User.objects.get(email=cast.FRONT_DESK)
    _move(visits[MOVED], desk, now)
    for number, place in enumerate(WAITING):
        _want_earlier(visits[place], desk if number else None, now - timedelta(days=3 - number))
    _cancel(visits[CANCELLED], now - timedelta(minutes=40))
    _fail(clinic)


def run_late(clinic: Clinic, now: datetime) -> None:
    """Somebody who has patients left today is late, if nobody is: rather not the clinician to try the demo with."""
    day = day_of(clinic, now)
    if Delay.objects.filter(practitioner__clinic=clinic, day=day).exists():
        return
    people = list(clinic.practitioners.select_related("clinic", "user").order_by("name"))
    for practitioner in sorted(people, key=lambda one: one.user.email == cast.CLINICIAN):
        if news := late.who_is_told(practitioner, LATE, now):
            said_at = now - timedelta(minutes=4)
            delay = Delay.objects.create(
                practitioner=practitioner,
                day=day,
                minutes=LATE,
                serial=1,
                changed_at=said_at,
                changed_by=practitioner.user,
            )
            rows = [row for one in news for row in told(one.visit, Kind.RUNNING_LATE, said_at, minutes=one.minutes)]
            for row in rows:
                row.reference = f"{delay.pk}.{delay.serial}"
            Communication.objects.bulk_create(rows)
            return


def _move(visit: Appointment, desk: User, now: datetime) -> None:
    """The patient called three hours ago: it was a day later."""
    at = now - timedelta(hours=3)
    new, old = visit.start, visit.start + timedelta(days=1)
    visit.communications.all().delete()
    visit.start = old
    write_ledger(visit, at, planned_at=visit.created_at)
    visit.communications.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=Reason.SUPERSEDED)
    _note(visit, Change.BOOKED, visit.created_at, desk)
    visit.start, visit.revision = new, 1
    visit.save(update_fields=["revision"])
    write_ledger(visit, now, planned_at=at, first=Kind.RESCHEDULE, details={"old_start": old.isoformat()})
    _note(visit, Change.MOVED, at, desk, old_start=old, old_practitioner=visit.practitioner, reason="Asked for it")


def _cancel(visit: Appointment, at: datetime) -> None:
    """By the patient, from the visit's own page. Its time is free again."""
    _note(visit, Change.BOOKED, visit.created_at, None)
    visit.status, visit.revision, visit.cancelation_reason = Status.CANCELLED, 1, "I have to work that day"
    visit.save(update_fields=["status", "revision", "cancelation_reason"])
    visit.communications.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=Reason.CANCELLED)
    Communication.objects.bulk_create(told(visit, Kind.CANCELLATION, at))
    _note(visit, Change.CANCELLED, at, None, reason=visit.cancelation_reason)
    Opening.objects.create(practitioner=visit.practitioner, begin=visit.start, end=visit.end, made_at=at)


def _note(visit: Appointment, change: str, at: datetime, by: User | None, **fields: object) -> None:
    AppointmentChange.objects.create(
        appointment=visit,
        change=change,
        at=at,
        by=by,
        role=Role.FRONT_DESK if by else Role.PATIENT,
        revision=visit.revision,
        start=visit.start,
        practitioner=visit.practitioner,
        **fields,
    )


def _want_earlier(visit: Appointment, by: User | None, at: datetime) -> None:
    last_day = day_of(visit.clinic, visit.start)
    WaitlistEntry.objects.create(appointment=visit, anyone=True, last_day=last_day, created_at=at, created_by=by)


def _fail(clinic: Clinic) -> None:
    """Of the mails that went out some did not arrive, and of one nobody knows."""
    sent = Communication.objects.filter(
        appointment__clinic=clinic, state=State.SENT, channel="email", kind=Kind.REMINDER
    )
    pks = list(sent.order_by("-due_at", "start").values_list("pk", flat=True))
    for places, state, reason in ((FAILED, State.FAILED, Reason.REFUSED), (UNKNOWN, State.UNKNOWN, Reason.NO_ANSWER)):
        rows = Communication.objects.filter(pk__in=[pks[place] for place in places])
        rows.update(state=state, reason=reason, sent_at=None)
