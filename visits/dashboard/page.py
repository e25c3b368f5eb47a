"""The dashboard's page: which days are asked for, and what is said of them."""

from datetime import datetime, timedelta
from functools import cached_property

from django.http import QueryDict
from django.utils import timezone

from accounts.models import Clinic
from visits.calendar.words import range_words
from visits.dashboard import period, words
from visits.dashboard.panels import Panel, Panels
from visits.dashboard.period import Period
from visits.dashboard.reading import numbers_of
from visits.schedule.hours import day_of, zone_of
from visits.schedule.moment import of_page


class DashboardPage:
    """Whole days up to yesterday, so that they compare with those before.

    A length that is not offered counts as not asked for.
    """

    def __init__(self, clinic: Clinic, data: QueryDict, *, now: datetime | None = None) -> None:
        asked = data.get("days", "")
        days = int(asked) if asked in map(str, period.CHOICES) else period.USUAL
        yesterday = day_of(clinic, now or timezone.now()) - timedelta(days=1)
        self.clinic = clinic
        self.period = Period(days, yesterday, zone_of(clinic))

    @cached_property
    def panels(self) -> list[Panel]:
        return Panels(self.period, numbers_of(self.clinic, self.period)).all()

    def panel(self, name: str) -> Panel | None:
        return next((one for one in self.panels if one.name == name), None)

    @property
    def choices(self) -> list[tuple[int, str]]:
        return [(days, words.days(days)) for days in period.CHOICES]

    @property
    def now_words(self) -> str:
        return range_words(self.period.first, self.period.last)

    @property
    def zone_name(self) -> str:
        return of_page(self.period.edges[-1], str(self.period.zone)).zone_name

    @property
    def then_words(self) -> str:
        return range_words(self.period.before.first, self.period.before.last)
