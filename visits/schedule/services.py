"""What is done to many days of a schedule at once. Each verb is one transaction with its audit event."""

from collections.abc import Collection
from datetime import date, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.http import Http404

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.schedule.models import ScheduleException


class Entry(NamedTuple):
    """What makes two exceptions of one clinician the same."""

    kind: str
    first_day: date
    last_day: date
    start_time: time | None
    end_time: time | None

    def moved(self, by: timedelta) -> "Entry":
        return self._replace(first_day=self.first_day + by, last_day=self.last_day + by)


def copy_week(
    *, principal: Principal, practitioner: Practitioner, from_monday: date, to_mondays: Collection[date]
) -> list[ScheduleException]:
    """Copy a clinician's time off and extra hours of one week into others; return what was added.

    Of an exception that goes beyond the week, its days in the week are copied. What is there already is not added
    again and nothing is taken away, so copying twice changes nothing. Raises ValueError for a day that is no Monday,
    Http404 for who may not change this clinician's schedule.
    """
    if any(day.weekday() != 0 for day in (from_monday, *to_mondays)):
        raise ValueError("weeks begin on Mondays")
    targets = sorted(set(to_mondays) - {from_monday})
    with transaction.atomic():
        _lock(principal, practitioner)
        first, last = min([from_monday, *targets]), max([from_monday, *targets]) + timedelta(days=6)
        rows = list(practitioner.schedule_exceptions.filter(first_day__lte=last, last_day__gte=first))
        added = []
        for monday in targets:
            there = set(_week(rows, monday))
            for entry, note in _week(rows, from_monday).items():
                moved = entry.moved(monday - from_monday)
                if moved not in there:
                    owner = {"clinic_id": practitioner.clinic_id, "practitioner": practitioner}
                    added.append(ScheduleException(**owner, **moved._asdict(), note=note))
        for one in added:
            one.save()  # each by itself: who waits for an earlier time listens
        detail = {"from": str(from_monday), "to": [str(monday) for monday in targets], "added": len(added)}
        record("schedule.copy-week", Audit.CREATE, principal=principal, entity=practitioner, detail=detail)
        return added


def _lock(principal: Principal, practitioner: Practitioner) -> None:
    """Hold the clinician's row, as who books does: of two copies at once, the second sees what the first added."""
    people = principal.clinic.practitioners.select_for_update(no_key=True).filter(pk=practitioner.pk)
    if not principal.may(Action.SCHEDULE_CHANGE_ALL):
        people = people.filter(user=principal.user) if principal.may(Action.SCHEDULE_CHANGE) else people.none()
    if people.first() is None:
        raise Http404


def _week(rows: Collection[ScheduleException], monday: date) -> dict[Entry, str]:
    """What falls into the week, cut to it, with its note."""
    sunday = monday + timedelta(days=6)
    return {
        Entry(row.kind, max(row.first_day, monday), min(row.last_day, sunday), row.start_time, row.end_time): row.note
        for row in rows
        if row.first_day <= sunday and row.last_day >= monday
    }
