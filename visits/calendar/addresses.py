"""Addresses of the calendar's pages, and those of visits, of which a page may have thousands."""

import uuid
from functools import cache

from django.urls import reverse
from django.utils.http import urlencode

NOBODY = uuid.UUID(int=0)


def with_query(name: str, **asked: object) -> str:
    """The address of the page, with what it is asked."""
    return f"{_page(name)}?{urlencode({key: str(value) for key, value in asked.items()})}"


def address_of(name: str, pk: uuid.UUID) -> str:
    """What ``reverse(name, kwargs={"pk": pk})`` returns, without the time that takes."""
    before, after = around(name)
    return f"{before}{pk}{after}"


@cache
def around(name: str) -> tuple[str, str]:
    """What stands before and after the id in such an address."""
    before, after = reverse(name, kwargs={"pk": NOBODY}).split(str(NOBODY))
    return before, after


@cache
def _page(name: str) -> str:
    return reverse(name)
