"""The page that moves a visit: where it is, where it can go, what is in the way."""

from datetime import date
from functools import cached_property

from django.http import QueryDict
from django.urls import reverse

from accounts.doors import PrincipalRequest
from accounts.models import Practitioner
from visits.booking import services
from visits.booking.models import Appointment
from visits.booking.picker import Picker
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment


class MovePage(Picker):
    """The visit's own clinician, type and day are the usual ones."""

    visit: Appointment

    def __init__(self, request: PrincipalRequest, data: QueryDict, visit: Appointment) -> None:
        super().__init__(request, data)
        self.visit = visit

    @cached_property
    def visit_types(self) -> list[VisitType]:
        """The visit's own among them, also when it is booked no more."""
        own = self.visit.visit_type
        offered = super().visit_types
        return offered if own in offered else [own, *offered]

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
    def reason(self) -> str:
        return self.data.get("reason", "").replace("\0", "")[:200]

    def submit(self) -> Appointment | None:
        """Move the visit to what was chosen. None when something is missing or in the way.

        Raises WrongState for a visit that is not booked any more.
        """
        self.problems = self.missing()
        if self.problems or self.wanted_start is None:
            return None
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
                self.conflict = self.conflict_of(refusal)
            except (services.NotAvailable, services.PatientBusy) as refusal:
                self.conflict = self.conflict_of(refusal)
                return None
        self.conflict = self.conflict or self.nobody_free()
        return None
