"""Public holidays by region, from the ``holidays`` library. Pure: no ORM, no clock.

A region is a country or a subdivision of one by ISO 3166: "US", "US-TX".
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays

REGION = re.compile(r"([A-Z]{2})(?:-(.+))?")


class UnknownRegion(ValueError):
    """The library has no holidays of it."""


def check_region(region: str) -> None:
    """Raise UnknownRegion unless the library knows the region."""
    _of_year(region, 2000)


def public_holidays(region: str, first_day: date, last_day: date) -> dict[date, str]:
    """The holidays between two days, both included, in order, each with its name. An empty region has none.

    Neither has an unknown one: that a newer library dropped or renamed a region must not close a clinic.
    """
    try:
        years = [_of_year(region, year) for year in range(first_day.year, last_day.year + 1) if region]
    except UnknownRegion:
        return {}
    found = {day: name for days in years for day, name in days.items() if first_day <= day <= last_day}
    return dict(sorted(found.items()))


@lru_cache(maxsize=256)
def _of_year(region: str, year: int) -> Mapping[date, str]:
    match = REGION.fullmatch(region)
    if match is None:
        raise UnknownRegion(region)
    try:
        return dict(holidays.country_holidays(match[1], subdiv=match[2], years=year))
    except NotImplementedError:
        raise UnknownRegion(region) from None
