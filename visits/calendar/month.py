"""The calendar's month: how many visits each day has, and who is off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from django.db.models import Count
from django.db.models.functions import TruncDate

from visits.booking.models import Appointment
from visits.calendar import words
from visits.calendar.page import DAY, ONE_DAY, CalendarPage
from visits.schedule.wall_clock import bounds


@dataclass(frozen=True)
class MonthDay:
    """One day of the month: how many visits, and who is off."""

    day: date
    url: str
    count: int
    is_today: bool
    is_outside: bool
    is_open: bool
    off: Sequence[str]
    away: int
    holiday: str

    @property
    def words(self) -> str:
        return words.noon(self.day, "UTC").day

    @property
    def weekday(self) -> str:
        return words.weekday_words(self.day)

    @property
    def short_weekday(self) -> str:
        return words.weekday_words(self.day, "EEE")


class MonthPage(CalendarPage):
    """The month of the day asked for, filled up to whole weeks."""

    @property
    def first(self) -> date:
        return self._first_of_month - timedelta(days=self._first_of_month.weekday())

    @property
    def last(self) -> date:
        last = self._next_month - ONE_DAY
        return last + timedelta(days=6 - last.weekday())

    @property
    def title(self) -> str:
        return words.month_words(self.day)

    @property
    def before(self) -> str:
        return self.url(day=self._first_of_month - ONE_DAY)

    @property
    def after(self) -> str:
        return self.url(day=self._next_month)

    @cached_property
    def weeks(self) -> list[list[MonthDay]]:
        counts = self._counts()
        every = [self._month_day(day, counts.get(day, 0)) for day in self.days]
        return [every[n : n + 7] for n in range(0, len(every), 7)]

    @property
    def _first_of_month(self) -> date:
        return self.day.replace(day=1)

    @property
    def _next_month(self) -> date:
        return (self.day.replace(day=28) + timedelta(days=4)).replace(day=1)

    def _counts(self) -> dict[date, int]:
        start, end = self.bounds
        visits = Appointment.objects.filter(clinic=self.clinic, start__gte=start, start__lt=end)
        visits = visits.filter(practitioner__in=self.ids).exclude(status=Appointment.Status.CANCELLED)
        days = visits.annotate(day=TruncDate("start", tzinfo=self.zone)).order_by().values("day")
        return dict(days.annotate(count=Count("pk")).values_list("day", "count"))

    def _month_day(self, day: date, count: int) -> MonthDay:
        start, end = bounds(day, day, self.zone)
        off = [
            name for one in self.people for (begins, ends), name in self.off[one.pk] if begins < end and ends > start
        ]
        is_open = any(begins < end and ends > start for one in self.people for begins, ends in self.open_times[one.pk])
        return MonthDay(
            day=day,
            url=self.url(view=DAY, day=day),
            count=count,
            is_today=day == self.today,
            is_outside=day.month != self.day.month,
            is_open=is_open,
            off=list(dict.fromkeys(off)) if self.who else [],
            away=len(off) if not self.who else 0,
            holiday=self.holidays.get(day, ""),
        )
