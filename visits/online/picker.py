"""Choosing visit type, clinician, day and time, all on the patient's clock; for booking and for moving."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.http import urlencode

from accounts.language import page_language
from accounts.models import Clinic, Practitioner
from visits.booking.days import STRIP, Choice, Clock, Day, day_from, parts, start_from, strip
from visits.booking.models import Appointment, Hold
from visits.booking.picker import ANY, chosen
from visits.booking.times import free_slots, free_slots_of_any
from visits.online import zones
from visits.schedule import slots
from visits.schedule.hours import day_of
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment
from visits.schedule.slots import Slot, Times

STEP = timedelta(days=14)  # how many days are read at once when looking ahead
AROUND = timedelta(days=7)
ONE = timedelta(days=1)


@dataclass(frozen=True)
class Offer:
    """A free time, and what the clinic's clock shows then where that differs."""

    choice: Choice
    at_clinic: Moment | None


class Picker:
    """Reads what was chosen so far. What is unknown, or not for patients, counts as not chosen.

    Only free times are shown: how busy a clinician is concerns no stranger. ``visit`` is one that is to be moved,
    which keeps its type, ``hold`` a time that is kept for this person: the time of both counts as free.
    """

    def __init__(
        self,
        clinic: Clinic,
        data: Mapping[str, str],
        *,
        visit: Appointment | None = None,
        hold: Hold | None = None,
        zone: str = "",
    ) -> None:
        self.clinic = clinic
        self.data = data
        self.visit = visit
        self.hold = hold
        self.now = timezone.now()
        # Nobody has said where they are: the page's script may say what the browser knows.
        self.is_zone_known = bool(zones.canonical(data.get("zone", "")) or zone)
        self.zone = zones.canonical(data.get("zone", "")) or zone or zones.canonical(clinic.time_zone)
        self.language = page_language()
        self.clock = Clock(self.zone, self.language)

    # --- what, with whom ----------------------------------------------------------------------

    @cached_property
    def visit_types(self) -> list[VisitType]:
        if self.visit is not None:
            return [self.visit.visit_type]
        return list(patients_types(self.clinic))

    @cached_property
    def visit_type(self) -> VisitType | None:
        return chosen(self.visit_types, self.data.get("type")) or next(iter(self.visit_types), None)

    @cached_property
    def practitioners(self) -> list[Practitioner]:
        """Who offers the visit type."""
        if self.visit_type is None:
            return []
        people = list(self.clinic.practitioners.filter(is_active=True))
        offering = set(self.visit_type.practitioners.values_list("pk", flat=True))
        for one in people:
            one.clinic = self.clinic
        return [one for one in people if not offering or one.pk in offering]

    @cached_property
    def practitioner(self) -> Practitioner | None:
        """Whom they chose, or the one of the visit that is to be moved; None for whoever is free first."""
        wanted = self.data.get("with") or (str(self.visit.practitioner_id) if self.visit else "")
        return chosen(self.practitioners, wanted)

    # --- when ---------------------------------------------------------------------------------

    @cached_property
    def today(self) -> date:
        return self.clock.at(self.now).date

    @cached_property
    def last_day(self) -> date:
        return self.today + timedelta(days=self.visit_type.horizon_days if self.visit_type else 0)

    @cached_property
    def first_day(self) -> date:
        wanted = day_from(self.data.get("week")) or day_from(self.data.get("day")) or self.today
        wanted = min(max(wanted, self.today), self.last_day)
        return self.today + timedelta(days=(wanted - self.today).days // STRIP * STRIP)

    @cached_property
    def free(self) -> list[tuple[Slot, list[Practitioner]]]:
        """The free times of the days shown, each with who is free then."""
        shown = (self.first_day, self.first_day + timedelta(days=STRIP - 1))
        found = self._free(shown[0] - ONE, shown[1] + ONE)
        return [item for item in found if shown[0] <= self.clock.at(item[0].start).date <= shown[1]]

    @cached_property
    def days(self) -> list[Day]:
        return strip(self._times, self.first_day, self.clock)

    @cached_property
    def day(self) -> date | None:
        wanted = day_from(self.data.get("day"))
        with_times = [day.date for day in self.days if day.free]
        return wanted if wanted in with_times else next(iter(with_times), None)

    @cached_property
    def parts(self) -> list[tuple[str, list[Offer]]]:
        """Mornings, afternoons, evenings of the chosen day."""
        found = parts(self._times, self.day, self.clock) if self.day else []
        return [(part.name, [self._offer(choice) for choice in part.choices]) for part in found]

    @cached_property
    def wanted(self) -> datetime | None:
        """The time that was chosen, free or not."""
        return start_from(self.data.get("choose") or self.data.get("start", ""))

    @cached_property
    def next_free(self) -> Moment | None:
        """Where to look when the days shown have nothing."""
        if self.free:
            return None
        first = self.first_day + timedelta(days=STRIP)
        while first <= self.last_day + ONE:
            found = self._free(first, first + STEP - ONE)
            if found:
                return self.clock.at(found[0][0].start)
            first += STEP
        return None

    @property
    def week_before(self) -> date | None:
        return max(self.first_day - timedelta(days=STRIP), self.today) if self.first_day > self.today else None

    @property
    def week_after(self) -> date | None:
        after = self.first_day + timedelta(days=STRIP)
        return after if after <= self.last_day else None

    @property
    def week_words(self) -> str:
        last = self.first_day + timedelta(days=STRIP - 1)
        return f"{self.clock.day(self.first_day).month_day} – {self.clock.day(last).month_day}"

    def who_is_free(self, start: datetime) -> list[Practitioner]:
        """Who can be had at ``start``, the fairest choice first."""
        day = day_of(self.clinic, start)
        return next((people for slot, people in self._free(day, day) if slot.start == start), [])

    def nearest(self, wanted: datetime, count: int = 3) -> list[Slot]:
        """The free times closest to ``wanted``, in order."""
        day = max(self.clock.at(wanted).date, self.today)
        found = self._free(day - AROUND, day + AROUND)
        return slots.nearest([slot for slot, _ in found], wanted, count)

    # --- words --------------------------------------------------------------------------------

    @property
    def here(self) -> Moment:
        """Their zone, by a time of the days shown: names of zones change with the clocks."""
        return self.clock.at(self.free[0][0].start if self.free else self.now)

    @property
    def at_clinic(self) -> Moment | None:
        """The clinic's zone, where its clock shows something else."""
        return self._at_clinic(self.here)

    @property
    def zones(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return zones.choices(self.language)

    @property
    def is_zone_listed(self) -> bool:
        return any(zone == self.zone for _, listed in zones.by_part(self.language) for zone, _ in listed)

    @property
    def query(self) -> str:
        """What was chosen besides the day, for the addresses of days and weeks."""
        asked = {
            "type": str(self.visit_type.pk) if self.visit_type and self.visit is None else "",
            "with": str(self.practitioner.pk) if self.practitioner else ANY,
            "zone": self.zone if self.is_zone_known else "",
            "draft": self.data.get("draft", ""),
        }
        return urlencode({name: value for name, value in asked.items() if value})

    # --- the database -------------------------------------------------------------------------

    @cached_property
    def _times(self) -> Times:
        every = [slot for slot, _ in self.free]
        return Times(every, every)

    def _free(self, first_day: date, last_day: date) -> list[tuple[Slot, list[Practitioner]]]:
        """By days of the clinic's calendar, both included."""
        if self.visit_type is None:
            return []
        days = {"first_day": first_day, "last_day": last_day, "now": self.now}
        asked = {"visit_type": self.visit_type, "for_patient": True, "instead_of": self.visit or self.hold}
        if self.practitioner is None:
            found = free_slots_of_any(clinic=self.clinic, **asked, **days)  # type: ignore[arg-type]
        else:
            one = self.practitioner
            found = [(slot, [one]) for slot in free_slots(practitioner=one, **asked, **days)]  # type: ignore[arg-type]
        if self.visit is None:
            return found
        # Where the visit is already it need not be moved to.
        at, whose = self.visit.start, self.visit.practitioner_id
        return [(slot, people) for slot, people in found if slot.start != at or all(one.pk != whose for one in people)]

    def _offer(self, choice: Choice) -> Offer:
        return Offer(choice, self._at_clinic(choice.words))

    def _at_clinic(self, moment: Moment) -> Moment | None:
        there = Moment(moment.instant, self.clinic.time_zone, self.language)
        return None if there.is_same_clock(moment) else there


def patients_types(clinic: Clinic) -> QuerySet[VisitType]:
    """What patients may book by themselves."""
    return clinic.visit_types.filter(is_active=True, booked_by=VisitType.BookedBy.PATIENT)
