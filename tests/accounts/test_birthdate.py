import contextlib
from datetime import date

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.links.birthdate import NobodysDate, parse

BORN = date(1979, 3, 14)


@pytest.mark.parametrize(
    "text",
    [
        "3/14/1979", "03/14/1979", "3-14-1979", "3.14.1979", "3 14 1979", " 03 / 14 / 1979 ", "3,14,1979",
        "03141979", "1979-03-14", "1979/3/14", "1979 3 14", "19790314", "3/14/79", "14/3/1979",
        "March 14, 1979", "march 14th 1979", "14 March 1979", "Mar 14 1979", "1979 March 14",
        "14 de marzo de 1979",
    ],
)  # fmt: skip
def test_english_reads(text: str) -> None:
    assert parse(text, "en") == BORN


@pytest.mark.parametrize(
    "text",
    [
        "14/3/1979",
        "14-03-1979",
        "14 3 79",
        "14031979",
        "1979-03-14",
        "14 de marzo de 1979",
        "14 MARZO 1979",
        "3/14/1979",
    ],
)
def test_spanish_reads(text: str) -> None:
    assert parse(text, "es") == BORN


def test_the_language_decides_where_both_orders_are_possible() -> None:
    assert parse("4/5/1980", "en") == date(1980, 4, 5)
    assert parse("4/5/1980", "es") == date(1980, 5, 4)


@pytest.mark.parametrize(
    "text",
    ["", "x", "3/14", "3/14/1979/1", "13/13/1979", "2/30/1979", "3/14/2999", "3/14/1799", "3/14/979", "123", "1979",
     "Ma 14 1979", "Foo 14 1979", "Mar Mar 1979", "٣/١٤/19790", "0/0/0000", "1" * 5000],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        parse(text, "en")


@pytest.mark.parametrize("text", ["3/14/2999", "3/14/1799"])
def test_a_date_on_which_nobody_alive_was_born_is_told_from_no_date(text: str) -> None:
    with pytest.raises(NobodysDate):
        parse(text, "en")


def test_two_digits_mean_the_last_hundred_years() -> None:
    this_year = timezone.localdate().year
    for year in (this_year - 1, this_year - 50, this_year - 98):
        assert parse(f"1/2/{year % 100:02}", "en").year == year


@given(st.dates(date(1900, 1, 1), date(2020, 12, 31)), st.sampled_from("/-. ,"), st.sampled_from(["en", "es"]))
def test_any_date_with_any_separator(born: date, separator: str, language: str) -> None:
    order = [born.day, born.month] if language == "es" else [born.month, born.day]

    assert parse(separator.join(map(str, [*order, born.year])), language) == born


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text, "en")
