"""Time zones for people to choose from: those in use (CLDR), by part of the world, named by their city."""

from functools import cache
from itertools import groupby
from operator import itemgetter
from zoneinfo import available_timezones

from babel.core import get_global
from babel.dates import get_timezone_location
from django.utils.translation import gettext_lazy as _

NOWHERE = (None, "001")  # territories of zones that are no place, such as UTC

PARTS = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}


@cache
def known() -> frozenset[str]:
    """The zones that there are, looked up once: that reads some 600 files. These two are no places."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


def canonical(name: str) -> str:
    """The zone by its name of today: browsers still say "Asia/Calcutta"; empty for what is no zone."""
    return str(get_global("zone_aliases").get(name, name)) if name in known() else ""


@cache
def by_part(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The parts of the world, each with its zones and their cities in order of the alphabet."""
    territories, aliases = get_global("zone_territories"), get_global("zone_aliases")
    used = sorted(zone for zone in known() if zone not in aliases)
    found = [
        (zone.partition("/")[0], zone, city_of(zone, language))
        for zone in used
        if territories.get(zone) not in NOWHERE and zone.partition("/")[0] in PARTS
    ]
    return [
        (part, sorted(((zone, city) for _, zone, city in rows), key=itemgetter(1)))
        for part, rows in groupby(found, itemgetter(0))
    ]


def choices(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """``by_part`` with the parts in words of the page."""
    return [(str(PARTS[part]), zones) for part, zones in by_part(language)]


def city_of(zone: str, language: str) -> str:
    """ "Chicago", "Ciudad de México"."""
    return str(get_timezone_location(zone, locale=language, return_city=True)).rpartition("/")[2]
