"""A Tuesday of a clinic in Chicago, three weeks from now, and a calendar to look at it with."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.booking.conftest import TUESDAY as NEXT_TUESDAY
from tests.booking.conftest import at as at_on
from tests.booking.conftest import hours  # noqa: F401

#: Far enough to be to come, whenever the test runs; not the same week as today.
TUESDAY = NEXT_TUESDAY + timedelta(days=14)


def at(clock: str, day: date | None = None) -> datetime:
    """A wall-clock time in Chicago, that Tuesday unless told."""
    return at_on(clock, day or TUESDAY)


@pytest.fixture
def look(verified: Any) -> Any:
    """``look(user, "week", who=…)``: the page of that Tuesday as the user sees it."""

    def call(user: Any, view: str = "week", **asked: Any) -> str:
        client = verified(user)
        answer = client.get(f"/calendar/{view}/", {"day": TUESDAY.isoformat(), **asked})
        assert answer.status_code == 200
        return str(answer.content.decode())

    return call
