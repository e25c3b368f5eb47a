"""Telephone numbers as the network wants them (E.164)."""

from functools import cache

import phonenumbers
from babel.core import get_global


def e164(number: str, zone: str) -> str:
    """``number`` as +15550100177, read as people write it where ``zone`` is; empty for what is no number."""
    try:
        parsed = phonenumbers.parse(number, _region(zone))
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@cache
def _region(zone: str) -> str | None:
    """The country that a time zone is of (CLDR): US for America/Chicago; None for those of no country."""
    territory = get_global("zone_territories").get(get_global("zone_aliases").get(zone, zone))
    return territory if territory and territory != "001" else None
