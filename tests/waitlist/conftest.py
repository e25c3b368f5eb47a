"""A visit next Tuesday that can be cancelled, and patients of the Tuesday after who would come earlier."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from accounts.models import Patient, User
from tests import factories
from tests.booking.conftest import at as at_on
from tests.booking.conftest import book, hours  # noqa: F401
from tests.conftest import staff
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.waitlist import services
from visits.waitlist.fitting import Part
from visits.waitlist.models import Offer, WaitlistEntry

# A Monday, ten in the morning in Chicago: nobody sleeps.
MONDAY = "2026-06-01T15:00:00Z"
TUESDAY = date(2026, 6, 9)


@pytest.fixture(autouse=True)
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time(MONDAY) as frozen:
        yield frozen


def at(clock: str, day: date = TUESDAY) -> datetime:
    """A wall-clock time in Chicago, next Tuesday unless told."""
    return at_on(clock, day)


def later(clock: str = "10:00") -> datetime:
    """The Tuesday after the next."""
    return at(clock, TUESDAY + timedelta(days=7))


@pytest.fixture
def gap(book: Callable[..., Appointment], clinic: Any) -> Appointment:  # noqa: F811
    """Somebody's visit, next Tuesday at ten."""
    return book(patient=factories.make_patient(clinic, given_name="Omar"), start=at("10:00"))


@pytest.fixture
def waits(
    book: Callable[..., Appointment],  # noqa: F811
    front_desk: User,
    clinic: Any,
    clock: FrozenDateTimeFactory,
) -> Callable[..., WaitlistEntry]:
    """``waits(start=…)``: a patient with a visit on the Tuesday after who would come any day earlier."""

    def call(patient: Patient | None = None, start: datetime | None = None, **wanted: Any) -> WaitlistEntry:
        clock.tick()  # one after the other
        number = WaitlistEntry.objects.count()
        visit = book(
            patient=patient or factories.make_patient(clinic), start=start or later() + timedelta(minutes=20 * number)
        )
        return put(visit, front_desk, **wanted)

    return call


def put(visit: Appointment, user: User, **wanted: Any) -> WaitlistEntry:
    """Put the visit on the list, for any time before it unless ``wanted`` says otherwise."""
    every = {"anyone": False, "weekdays": list(range(7)), "parts": list(Part), "last_day": later().date()}
    return services.ask(principal=staff(user), visit=visit, **every | wanted)


def cancel(visit: Appointment, user: User) -> None:
    booking.cancel(principal=staff(user), visit=visit)


def open_offer() -> Offer:
    return Offer.objects.get(state=Offer.State.OPEN)


def states(entry: WaitlistEntry) -> list[str]:
    """What became of the offers to the entry, the first one first."""
    return list(entry.offers.order_by("made_at", "closed_at").values_list("state", flat=True))
