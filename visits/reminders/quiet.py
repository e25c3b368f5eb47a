"""When a reminder is due, and the hours in which nobody is disturbed. Pure: instants in, instants out.

Leads of whole days are days of the wall clock: the reminder a day before a visit at 8:30 comes at 8:30, also over a
change of clocks. Shorter leads are time that passes. A wall time that a change of clocks leaves out is read by the
clock before the change, one that comes twice is its first.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
# What comes this shortly before a visit is about to be used: who has a visit then is awake.
CANNOT_WAIT = timedelta(minutes=15)
# So long before the quiet hours goes what would fall into them: time for a second try.
MARGIN = timedelta(minutes=10)


def remind_at(start: datetime, lead: timedelta, zone: str) -> datetime:
    """The instant ``lead`` before ``start``, by the rule above."""
    if lead % DAY:
        return start - lead
    local = start.astimezone(ZoneInfo(zone))
    return _instant(local.date() - lead, local.time(), zone)


@dataclass(frozen=True)
class QuietHours:
    """From ``begin`` to ``end`` on the wall clock of ``zone``, over midnight or not; both the same: none."""

    begin: time
    end: time
    zone: str

    def around(self, instant: datetime) -> tuple[datetime, datetime] | None:
        """The quiet hours that ``instant`` lies in, from their first instant to the first after them; else None."""
        if self.begin == self.end:
            return None
        today = instant.astimezone(ZoneInfo(self.zone)).date()
        for day in (today - DAY, today, today + DAY):
            last = day + DAY if self.end <= self.begin else day
            begin, end = _instant(day, self.begin, self.zone), _instant(last, self.end, self.zone)
            if begin <= instant < end:
                return begin, end
        return None

    def last_before(self, instant: datetime) -> datetime:
        """``instant``, or the last moment before the quiet hours that it lies in."""
        hours = self.around(instant)
        return hours[0] - MARGIN if hours else instant

    def first_after(self, instant: datetime) -> datetime:
        """``instant``, or the end of the quiet hours that it lies in."""
        hours = self.around(instant)
        return hours[1] if hours else instant


def _instant(day: date, clock: time, zone: str) -> datetime:
    return datetime.combine(day, clock.replace(fold=0), ZoneInfo(zone)).astimezone(UTC)
