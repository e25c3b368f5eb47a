"""A birth date as people type it: one field, any separators, the order of the page's language."""

import re
import unicodedata
from datetime import date

from django.utils import timezone

# Month first where the page is English (United States), day first where it is Spanish.
DAY_FIRST = {"es"}
MONTHS = [
    ("january", "enero"),
    ("february", "febrero"),
    ("march", "marzo"),
    ("april", "abril"),
    ("may", "mayo"),
    ("june", "junio"),
    ("july", "julio"),
    ("august", "agosto"),
    ("september", "septiembre", "setiembre"),
    ("october", "octubre"),
    ("november", "noviembre"),
    ("december", "diciembre"),
]
# "14 de marzo de 1979", "March 14th, 1979"
FILLERS = {"de", "del", "of", "the", "el", "st", "nd", "rd", "th"}


class NobodysDate(ValueError):
    """A date on which nobody was born who is alive: before 1900, or still to come."""


def parse(text: str, language: str) -> date:
    """Read a birth date; only the order of day and month depends on ``language``.

    Understands ISO (year first), separators of any kind or none, and months as words. Where the
    language's order is impossible (month 14) and the other is not, takes the other.
    Raises ValueError when it is no date, NobodysDate when it is one in the future or before 1900.
    """
    parts = [part for part in re.findall(r"\d+|[^\W\d_]+", text.casefold()) if part not in FILLERS]
    if len(parts) == 1:
        parts = _cut(parts[0], language)
    if len(parts) != 3:
        raise ValueError("not three parts")
    found = _from_word(parts) if any(not part.isdecimal() for part in parts) else _from_numbers(parts, language)
    if not date(1900, 1, 1) <= found <= timezone.localdate():
        raise NobodysDate("not a birth date")
    return found


def _cut(digits: str, language: str) -> list[str]:
    """Eight digits without separators; year first where they start like a year and the rest fits."""
    if len(digits) != 8 or not digits.isdecimal():
        raise ValueError("not eight digits")
    local = [digits[:2], digits[2:4], digits[4:]]
    try:
        _from_numbers(local, language)
    except ValueError:
        return [digits[:4], digits[4:6], digits[6:]]
    return local


def _from_numbers(parts: list[str], language: str) -> date:
    if len(parts[0]) == 4:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    first, second, year = int(parts[0]), int(parts[1]), _year(parts[2])
    day, month = (first, second) if language in DAY_FIRST else (second, first)
    if month > 12:
        day, month = month, day
    return date(year, month, day)


def _from_word(parts: list[str]) -> date:
    words = [part for part in parts if not part.isdecimal()]
    numbers = [part for part in parts if part.isdecimal()]
    if len(words) != 1:
        raise ValueError("not one month")
    month = _month(words[0])
    day, year = numbers if len(numbers[0]) < 3 else reversed(numbers)
    return date(_year(year), month, int(day))


def _month(word: str) -> int:
    """The number of a month's name, or of its first three letters or more, accents or not."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    numbers = {n for n, names in enumerate(MONTHS, 1) if any(name.startswith(plain) for name in names)}
    if len(plain) < 3 or len(numbers) != 1:
        raise ValueError("not a month")
    return numbers.pop()


def _year(digits: str) -> int:
    """Two digits mean the last hundred years."""
    if len(digits) == 4:
        return int(digits)
    if len(digits) != 2:
        raise ValueError("not a year")
    this_year = timezone.localdate().year
    year = this_year // 100 * 100 + int(digits)
    return year if year <= this_year else year - 100
