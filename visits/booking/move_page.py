"""The page that moves a visit: where it is, where it can go, what is in the way."""

from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.doors import PrincipalRequest
from accounts.models import Practitioner
from visits.booking import services
from visits.booking.conflict import conflict_of, nobody_free
from visits.booking.models import Appointment
from visits.booking.picker import Picker
from visits.booking.shift import Shift
from visits.booking.times import Leaving
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment


class MovePage(Picker):
    """The visit's own clinician, type and day are the usual ones."""

    visit: Appointment

    def __init__(self, request: PrincipalRequest, data: QueryDict, visit: Appointment) -> None:
        super().__init__(request, data)
        self.visit = visit
        self.moved_with = 0  # how many later visits were moved with it

    @cached_property
    def visit_types(self) -> list[VisitType]:
        """The visit's own among them, also when it is booked no more."""
        own = self.visit.visit_type
        offered = super().visit_types
        return offered if own in offered else [own, *offered]

    @cached_property
    def shift(self) -> Shift:
        return Shift(self)

    @property
    def leaving(self) -> Leaving:
        """The later visits, too, if they are to make room."""
        return [self.visit, *self.shift.visits] if self.shift.is_on else self.visit

    @property
    def can_be_held(self) -> bool:
        """Not where a later visit is, for as long as it is there."""
        if self.start is None or self.visit_type is None:
            return False
        return not self.shift.covers(
            self.start.instant, self.start.instant + timedelta(minutes=self.visit_type.minutes)
        )

    @property
    def parts_url(self) -> str:
        return reverse("booking:move_slots", kwargs={"pk": self.visit.pk})

    def usual_practitioner(self) -> Practitioner | None:
        own = next((row for row in self.practitioners if row.pk == self.visit.practitioner_id), None)
        return own or super().usual_practitioner()

    def usual_visit_type(self) -> VisitType | None:
        own = next((row for row in self.visit_types if row.pk == self.visit.visit_type_id), None)
        return own or super().usual_visit_type()

    def usual_day(self) -> date:
        return max(self.before.date, self.today)

    @property
    def before(self) -> Moment:
        """When the visit is until it is moved."""
        return self.clock.at(self.visit.start)

    @property
    def changed(self) -> dict[str, Any]:
        """The clinician and the type, where they are not the visit's own: the later visits get them, too."""
        who, what = self.practitioner, self.visit_type
        return {
            "practitioner": who if who and who.pk != self.visit.practitioner_id else None,
            "visit_type": what if what and what.pk != self.visit.visit_type_id else None,
        }

    @property
    def to_move(self) -> list[Moment]:
        """Where the visit is to go, and those after it."""
        return (
            [self.clock.at(start) for start in [self.start.instant, *sorted(self.shift.later.values())]]
            if self.start
            else []
        )

    @property
    def reason(self) -> str:
        return self.data.get("reason", "").replace("\0", "")[:200]

    def submit(self) -> Appointment | None:
        """Move the visit to what was chosen. None when something is missing or in the way.

        Raises WrongState for a visit that is not booked any more.
        """
        self.problems = self.missing()
        if self.shift.is_on and self.shift.visits and not self.shift.is_seen:
            self.problems.append(("shift", _("Look through the visits after it, then move.")))
        elif self.shift.lost:
            self.problems.append(("shift", self.shift.lost))
        if self.problems or self.wanted_start is None:
            return None
        if self.shift.is_on and self.shift.visits:
            return self._move_together(self.wanted_start)
        for practitioner in self.takers if self.is_any else [self.practitioner]:
            try:
                return services.move(
                    principal=self.principal,
                    visit=self.visit,
                    start=self.wanted_start,
                    practitioner=practitioner,
                    visit_type=self.visit_type,
                    reason=self.reason,
                    hold=self.held,
                )
            except services.SlotTaken as refusal:
                self.conflict = conflict_of(refusal, wanted=self.wanted_start, clock=self.clock)
            except (services.NotAvailable, services.PatientBusy) as refusal:
                self.conflict = conflict_of(refusal, wanted=self.wanted_start, clock=self.clock)
                return None
        self.conflict = self.conflict or nobody_free(self.times.free, wanted=self.wanted_start, clock=self.clock)
        return None

    def _move_together(self, start: datetime) -> Appointment | None:
        try:
            moved = services.move_following(
                principal=self.principal,
                visit=self.visit,
                start=start,
                later=self.shift.later,
                **self.changed,
                reason=self.reason,
                hold=self.held,
            )
        except (services.SlotTaken, services.NotAvailable, services.PatientBusy) as refusal:
            self.conflict = conflict_of(refusal, wanted=self.wanted_start, clock=self.clock)
            self.shift = Shift(self)  # the list shows what is free now
            return None
        self.moved_with = len(moved) - 1
        return next(one for one in moved if one.pk == self.visit.pk)
