"""A Tuesday of a clinic in Chicago, three weeks from now, and a calendar to look at it with."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Practitioner
from tests import factories

CHICAGO = ZoneInfo("America/Chicago")


def tuesday() -> date:
    """Far enough to be to come, whenever the test runs; not the same week as today."""
    day = datetime.now(CHICAGO).date() + timedelta(days=14)
    return day + timedelta(days=(1 - day.weekday()) % 7)


def at(clock: str, day: date | None = None) -> datetime:
    """A wall-clock time in Chicago, that Tuesday unless told."""
    return datetime.combine(day or tuesday(), time.fromisoformat(clock), tzinfo=CHICAGO).astimezone(UTC)


@pytest.fixture
def hours(practitioner: Practitioner) -> Practitioner:
    """Nine to noon, Monday to Friday."""
    for weekday in range(5):
        factories.make_hours(practitioner, weekday, "09:00", "12:00")
    return practitioner


@pytest.fixture
def look(verified: Any) -> Any:
    """``look(user, "week", who=…)``: the page of that Tuesday as the user sees it."""

    def call(user: Any, view: str = "week", **asked: Any) -> str:
        client = verified(user)
        answer = client.get(f"/calendar/{view}/", {"day": tuesday().isoformat(), **asked})
        assert answer.status_code == 200
        return str(answer.content.decode())

    return call
