"""The clinic in which a history happens: few times, so that the clients are in each other's way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Clinic, Patient, Practitioner
from accounts.policy import Role
from accounts.principal import Principal
from tests import factories
from tests.booking.conftest import TUESDAY
from tests.conftest import staff
from visits.booking.signals import appointment_changed
from visits.booking.times import times
from visits.schedule.models import VisitType


@dataclass
class World:
    clinic: Clinic
    principals: list[Principal]
    practitioners: list[Practitioner]
    patients: list[Patient]
    visit_types: list[VisitType]
    starts: dict[object, list[datetime]]  # of each visit type, the same for every practitioner
    days: int

    def times(self, practitioner: Practitioner, visit_type: VisitType):
        """The practitioner's times on all days of the world."""
        last_day = TUESDAY + timedelta(days=self.days - 1)
        return times(practitioner=practitioner, visit_type=visit_type, first_day=TUESDAY, last_day=last_day)


def make_world(clients: int, practitioners: int, days: int) -> World:
    """Three types of visit with grids of their own, whose times and buffers cross each other."""
    clinic = factories.make_clinic()
    people = [factories.make_practitioner(clinic) for _ in range(practitioners)]
    for one in people:
        for weekday in range(7):
            factories.make_hours(one, weekday, "09:00", "12:00")
    shapes = [
        {"minutes": 20},
        {"minutes": 30, "buffer_after": 10},
        {"minutes": 45, "buffer_before": 5, "mode": "phone"},
    ]
    world = World(
        clinic,
        [staff(factories.make_member(clinic, Role.FRONT_DESK)) for _ in range(clients)],
        people,
        [factories.make_patient(clinic) for _ in range(3 * practitioners)],
        [factories.make_visit_type(clinic, **shape) for shape in shapes],
        {},
        days,
    )
    for visit_type in world.visit_types:
        world.starts[visit_type.pk] = [slot.start for slot in world.times(people[0], visit_type).all]
    return world


@contextmanager
def nobody_listens() -> Iterator[None]:
    """Booking by itself: what other parts do with its announcements, they answer for."""
    receivers, appointment_changed.receivers = appointment_changed.receivers, []
    appointment_changed.sender_receivers_cache.clear()
    try:
        yield
    finally:
        appointment_changed.receivers = receivers
        appointment_changed.sender_receivers_cache.clear()
