"""Addresses and record numbers in one form, so that the same one is the same however it is written."""

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


def normal_email(address: str) -> str:
    """Whatever case."""
    return address.strip().casefold()


def normal_phone(number: str, zone: str) -> str:
    """E.164; the bare digits of what is no whole number."""
    return e164(number, zone) or digits(number)


def normal_record_number(number: str) -> str:
    """Its letters and digits, whatever case."""
    return "".join(sign for sign in number.casefold() if sign.isalnum())


def last_digits(number: str) -> str:
    """The last four, by which people tell numbers apart; empty where there are fewer."""
    found = digits(number)
    return found[-4:] if len(found) >= 4 else ""


def digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdecimal())


@cache
def _region(zone: str) -> str | None:
    """The country that a time zone is of (CLDR): US for America/Chicago; None for those of no country."""
    territory = get_global("zone_territories").get(get_global("zone_aliases").get(zone, zone))
    return territory if territory and territory != "001" else None
