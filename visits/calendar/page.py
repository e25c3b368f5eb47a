"""The calendar's pages: what is asked for by the address, and what stands on the page.

Days are those of the reader's zone. The address holds days, clinicians and views, nothing of patients.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone

from accounts.models import Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.days import day_from
from visits.booking.models import Appointment, Hold
from visits.booking.picker import chosen
from visits.calendar import columns, grid, reading, words
from visits.calendar.addresses import with_query
from visits.calendar.columns import Column
from visits.calendar.grid import Sheet
from visits.calendar.reading import KINDS, Visit
from visits.schedule.hours import rules_of, zone_of
from visits.schedule.intervals import Interval, merged
from visits.schedule.models import ScheduleException, SchedulePolicy, VisitType
from visits.schedule.moment import Moment
from visits.schedule.public_holidays import public_holidays
from visits.schedule.wall_clock import bounds

DAY, WEEK, MONTH = "day", "week", "month"
CLINIC = "clinic"
# Who can be booked around the clock still sees the day's middle first.
USUAL_HOURS = (7, 19)
ONE_DAY = timedelta(days=1)


class CalendarPage:
    """A day or week of one clinician, or of the whole clinic. What is unknown counts as not asked for."""

    def __init__(self, principal: Principal, view: str, data: QueryDict, *, now: datetime | None = None) -> None:
        self.principal = principal
        self.clinic = principal.clinic
        self.view = view
        self.data = data
        self.now = now or timezone.now()
        self.zone = ZoneInfo(str(timezone.get_current_timezone()))

    # --- what is asked for --------------------------------------------------------------------

    @cached_property
    def everybody(self) -> list[Practitioner]:
        """Who takes visits, and who does no more but has some on these days."""
        start, end = self.bounds
        busy = Appointment.objects.filter(clinic=self.clinic, start__gte=start, start__lt=end)
        busy = busy.exclude(status=Appointment.Status.CANCELLED).order_by()
        rows = list(self.clinic.practitioners.filter(Q(is_active=True) | Q(pk__in=busy.values("practitioner"))))
        for row in rows:
            row.clinic = self.clinic
        return rows

    @cached_property
    def own(self) -> Practitioner | None:
        """The reader, if they take visits here."""
        user = self.principal.user
        return next((one for one in self.everybody if user and one.user_id == user.pk), None)

    @cached_property
    def who(self) -> Practitioner | None:
        """The clinician asked for, else the reader; None: the whole clinic."""
        wanted = self.data.get("who", "")
        return None if wanted == CLINIC else chosen(self.everybody, wanted) or self.own

    @cached_property
    def people(self) -> list[Practitioner]:
        return [self.who] if self.who else self.everybody

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @cached_property
    def day(self) -> date:
        return day_from(self.data.get("day")) or self.today

    @property
    def all_hours(self) -> bool:
        return self.data.get("hours") == "all"

    @property
    def first(self) -> date:
        return self.day - timedelta(days=self.day.weekday()) if self.view == WEEK else self.day

    @property
    def last(self) -> date:
        return self.first + timedelta(days=6) if self.view == WEEK else self.day

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @cached_property
    def bounds(self) -> Interval:
        return bounds(self.first, self.last, self.zone)

    # --- what is there ------------------------------------------------------------------------

    @cached_property
    def visits(self) -> list[Visit]:
        return reading.visits_between(self.clinic, self.ids, *self.bounds, self.now)

    @cached_property
    def holds(self) -> list[Hold]:
        return reading.holds_between(self.clinic, self.ids, *self.bounds, self.now)

    @cached_property
    def exceptions(self) -> list[ScheduleException]:
        first, last = self.clinic_days
        return reading.exceptions_between(self.clinic, self.people, first, last)

    @cached_property
    def holidays(self) -> dict[date, str]:
        return public_holidays(SchedulePolicy.of(self.clinic).holiday_region, *self.clinic_days)

    @cached_property
    def columns(self) -> list[Column]:
        """The days that somebody works or is seen on, and all others of Monday to Friday, each for each person."""
        found = columns.columns(
            self.days, self.people, self.zone, self.today, self.open_times, self.visits, self.holds, self.off
        )
        kept = {column.day for column in found if column.open or column.visits}
        if self.view == WEEK:
            found = [column for column in found if column.day.weekday() < 5 or column.day in kept]
        return found

    @cached_property
    def sheet(self) -> Sheet:
        usual = None if self.all_hours else USUAL_HOURS
        return Sheet(self.zone, *columns.hours_shown(self.columns, self.zone, usual))

    @cached_property
    def grid(self) -> list[Column]:
        """The columns with everything in its place."""
        zone = zone_of(self.clinic)
        for column in self.columns:
            may_book = self.may_book and column.practitioner.is_active
            columns.lay_out(column, self.sheet, self.now, clinic_zone=zone if may_book else None)
        return self.columns

    @cached_property
    def rows(self) -> list[tuple[Practitioner, str, list[Column]]]:
        """The whole clinic's week: who, the address of their own week, and their days."""
        of_person: dict[uuid.UUID, list[Column]] = {one.pk: [] for one in self.people}
        for column in self.columns:
            of_person[column.practitioner.pk].append(column)
        return [(one, url, of_person[one.pk]) for one, url in self.choices]

    # --- words --------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        if self.view == WEEK:
            shown = [column.day for column in self.columns] or self.days
            return words.range_words(shown[0], shown[-1])
        return words.noon(self.day, str(self.zone)).day

    @property
    def moment(self) -> Moment:
        return words.noon(self.day, str(self.zone))

    @property
    def clinic_moment(self) -> Moment | None:
        """The clinic's clock, where it differs from the reader's."""
        theirs = Moment(self.moment.instant, self.clinic.time_zone, self.moment.language)
        return None if theirs.is_same_clock(self.moment) else theirs

    @property
    def hours(self) -> list[tuple[str, str, str]]:
        """Each hour of the sheet: its place, its words, and what the clinic's clock shows then where it differs."""
        found = []
        for hour in self.sheet.hours:
            instant = datetime(self.first.year, self.first.month, self.first.day, hour, tzinfo=self.zone)
            local = instant.astimezone(zone_of(self.clinic))
            theirs = words.hour_words(local.hour, local.minute) if self.clinic_moment else ""
            found.append((f"at-{hour - self.sheet.opens} for-1", words.hour_words(hour), theirs))
        return found

    @property
    def has_more_hours(self) -> bool:
        return columns.has_hours_outside(self.columns, self.sheet)

    @property
    def kinds(self) -> list[tuple[str, str, str]]:
        """The legend: (kind, word, icon)."""
        return [(kind, str(word), icon) for kind, (word, icon) in KINDS.items()]

    @property
    def visit_types(self) -> list[VisitType]:
        """Those that are on the page, for the legend."""
        found = {visit.visit_type.name: visit.visit_type for visit in self.visits}
        return [found[name] for name in sorted(found)]

    @property
    def clinic_zone_code(self) -> str:
        return Moment(self.moment.instant, self.clinic.time_zone, self.moment.language).zone_code

    @cached_property
    def printed(self) -> list["Line"]:
        """The day's list for paper."""
        names = {one.pk: one.name for one in self.people}
        modes = dict(VisitType.Mode.choices)
        return [
            Line(
                visit,
                words.clock_time(visit.start.astimezone(self.zone)),
                names[visit.practitioner],
                str(modes[visit.mode]),
            )
            for visit in self.visits
        ]

    # --- what the reader may do ---------------------------------------------------------------

    @property
    def may_book(self) -> bool:
        return self.principal.may(Action.VISIT_BOOK)

    @property
    def may_move(self) -> bool:
        return self.principal.may(Action.VISIT_CHANGE)

    @property
    def may_except(self) -> bool:
        return self.principal.may(Action.SCHEDULE_CHANGE)

    def may_change(self, exception: ScheduleException) -> bool:
        is_own = self.own is not None and exception.practitioner_id == self.own.pk
        return is_own or self.principal.may(Action.SCHEDULE_CHANGE_ALL)

    @property
    def listed(self) -> list[tuple[ScheduleException, str, bool]]:
        """Time off and extra hours of these days: each, its hours on the clinic's clock, whether one may change it."""
        return [(row, words.hours_words(row), self.may_except and self.may_change(row)) for row in self.exceptions]

    # --- ways on ------------------------------------------------------------------------------

    def url(self, *, view: str = "", day: date | None = None, who: str = "") -> str:
        hours = {"hours": "all"} if self.all_hours else {}
        return with_query(f"calendar:{view or self.view}", day=day or self.day, who=who or self.who_key, **hours)

    @property
    def who_key(self) -> str:
        return str(self.who.pk) if self.who else CLINIC

    @property
    def address(self) -> str:
        return self.url()

    @property
    def before(self) -> str:
        return self.url(day=self.first - ONE_DAY)

    @property
    def after(self) -> str:
        return self.url(day=self.last + ONE_DAY)

    @property
    def to_today(self) -> str:
        return self.url(day=self.today)

    @property
    def views(self) -> list[tuple[str, str]]:
        return [(view, self.url(view=view)) for view in (DAY, WEEK, MONTH)]

    @cached_property
    def choices(self) -> list[tuple[Practitioner, str]]:
        return [(one, self.url(who=str(one.pk))) for one in self.everybody]

    @property
    def to_clinic(self) -> str:
        return self.url(who=CLINIC)

    @property
    def to_print(self) -> str:
        return self.url(view="print")

    @property
    def to_day(self) -> str:
        return self.url(view=DAY)

    @property
    def to_book(self) -> str:
        who = {"practitioner": self.who.pk} if self.who else {}
        return with_query("booking:book", day=self.day, **who)

    @property
    def to_time_off(self) -> str:
        who = {"who": self.who.pk} if self.who else {}
        return with_query("calendar:time-off", day=self.day, **who)

    @property
    def places_query(self) -> str:
        """What the page that names the places of a visit is asked."""
        return f"view={self.view}&" + self.url().partition("?")[2]

    @property
    def to_all_hours(self) -> str:
        return self.url() + "&hours=all"

    @property
    def strip(self) -> list[tuple[date, str, str]]:
        """The days of the week on a phone: each with its weekday and address."""
        monday = self.day - timedelta(days=self.day.weekday())
        days = sorted({column.day for column in self.columns}) if self.view == WEEK else []
        days = days or [monday + timedelta(days=n) for n in range(7)]
        return [(day, words.weekday_words(day, "EEE"), self.url(day=day)) for day in days]

    # --- reading ------------------------------------------------------------------------------

    @property
    def ids(self) -> set[uuid.UUID]:
        return {one.pk for one in self.people}

    @property
    def clinic_days(self) -> tuple[date, date]:
        """The days of the clinic's calendar that the reader's days touch."""
        zone, (start, end) = zone_of(self.clinic), self.bounds
        return start.astimezone(zone).date(), (end - timedelta(seconds=1)).astimezone(zone).date()

    @cached_property
    def open_times(self) -> dict[uuid.UUID, list[Interval]]:
        """When each of the people can be booked, as instants."""
        first, last = self.clinic_days
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        rules = rules_of(self.people, clinic=self.clinic, first_day=first, last_day=last)
        zone = zone_of(self.clinic)
        return {
            pk: merged(stretch for day in days for stretch in grid.instants(rule.open_on(day), zone))
            for pk, rule in rules.items()
        }

    @cached_property
    def off(self) -> dict[uuid.UUID, list[tuple[Interval, str]]]:
        """When each of the people is off, and what to call it."""
        zone, (first, last) = zone_of(self.clinic), self.clinic_days
        found = {}
        for one in self.people:
            rows = [row for row in self.exceptions if row.practitioner_id in {None, one.pk}]
            found[one.pk] = columns.off_of(rows, self.holidays, zone, first, last)
        return found


@dataclass(frozen=True)
class Line:
    """A visit on paper."""

    visit: Visit
    time: str
    clinician: str
    mode: str
