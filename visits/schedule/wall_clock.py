"""Between what the wall clock of a zone shows and instants, in UTC. Pure: no ORM, no clock.

A time that comes twice, when clocks go back, means its first coming (``fold=0``, PEP 495).
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from visits.schedule.intervals import Interval

# What people may name: nobody plans at the ends of the calendar, where arithmetic overflows.
YEARS = range(2000, 2200)
# As the end of hours it is the midnight after their day.
MIDNIGHT = time()
DAY = timedelta(days=1)  # of the wall clock


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock shows ``wall``. One that is skipped when clocks go forward is read by the offset from before."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows then, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins."""
    return instant_of(datetime.combine(day, time()), zone)


def bounds(first_day: date, last_day: date, zone: ZoneInfo) -> Interval:
    """From the midnight that ``first_day`` begins with to the one after ``last_day``.

    A day on which the clocks change is 23 or 25 hours long.
    """
    return midnight(first_day, zone), midnight(last_day + DAY, zone)
