"""Clients that book, hold, move, cancel and release at random, and remember each answer they got."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import connections
from django.utils import timezone

from tests.booking.history.world import World
from visits.booking import services
from visits.booking.errors import BookingError
from visits.booking.models import Appointment, Hold

# How often which. What is held is released, used, or left to expire.
WEIGHTS = {"book": 32, "hold": 24, "move": 24, "cancel": 16, "release": 4}
# Seconds: many expire just when they are used.
SHORTEST, LONGEST = 0.02, 1.5


@dataclass(frozen=True)
class Told:
    """What a client was told of a visit, between the moments it asked and heard."""

    asked: datetime
    heard: datetime
    verb: str
    visit: Any
    revision: int
    start: datetime
    end: datetime
    busy: tuple[datetime, datetime]
    practitioner: Any
    patient: Any
    own: set[Any]  # holds of the client's that made room for it


@dataclass
class Held:
    """What a client was told that it holds, ``until`` it expires, is used or given up."""

    asked: datetime
    heard: datetime
    until: datetime
    hold: Any
    busy: tuple[datetime, datetime]
    practitioner: Any

    @property
    def own(self) -> set[Any]:
        return {self.hold}


@dataclass
class Memory:
    told: list[Told] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    unanswered: int = 0

    def add(self, other: "Memory") -> None:
        self.unanswered += other.unanswered
        self.told += other.told
        self.held += other.held
        self.ends += other.ends
        self.failures += other.failures


class Client:
    def __init__(self, world: World, number: int, seed: int) -> None:
        self.world = world
        self.principal = world.principals[number]
        self.random = Random(seed * 1000 + number)
        self.memory = Memory()
        self.holding: list[tuple[Hold, Held]] = []

    def run(self, operations: int, until: float) -> Memory:
        try:
            for verb in self.random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=operations):
                if time.monotonic() > until:
                    break
                self._try(verb, getattr(self, f"_{verb}"))
        finally:
            connections.close_all()
        return self.memory

    def _try(self, verb: str, call: Callable[[], None]) -> None:
        try:
            call()
        except BookingError as refusal:
            end = type(refusal).__name__
        except Exception as error:
            end = type(error).__name__
            self.memory.unanswered += 1
            # On a slow machine SQLite lets somebody wait too long: nothing was done, and nobody was told so.
            if "database is locked" not in str(error):
                self.memory.failures.append(f"no answer to {verb}: {error!r}")
        else:
            end = "done"
        self.memory.ends[f"{verb}: {end}"] += 1

    def _book(self) -> None:
        patient = self.random.choice(self.world.patients)
        self._change("booked", services.book, patient=patient, **self._somewhere())

    def _move(self) -> None:
        visit = self._any_visit()
        if visit is None:
            return self._book()
        return self._change("moved", services.move, visit=visit, **self._somewhere())

    def _cancel(self) -> None:
        visit = self._any_visit()
        if visit is None:
            return self._book()
        return self._change("cancelled", services.cancel, visit=visit)

    def _hold(self) -> None:
        lasts = timedelta(seconds=self.random.uniform(SHORTEST, LONGEST))
        asked = timezone.now()
        hold = services.hold(principal=self.principal, **self._anywhere(), lasts=lasts)
        busy = (hold.busy_start, hold.busy_end)
        for _, before in self.holding:
            before.until = min(before.until, asked)
        held = Held(asked, timezone.now(), hold.expires_at, hold.pk, busy, hold.practitioner_id)
        self.memory.held.append(held)
        self.holding = [*self.holding[-3:], (hold, held)]

    def _release(self) -> None:
        if self.holding:
            hold, held = self.holding.pop()
            held.until = min(held.until, timezone.now())
            services.release(hold)

    def _change(self, verb: str, call: Callable[..., Appointment], **how: Any) -> None:
        asked = timezone.now()
        visit = call(principal=self.principal, **how)
        own = [held for hold, held in self.holding if hold == how.get("hold") or _covers(held, visit)]
        for held in own:
            held.until = min(held.until, asked)
        self.memory.told.append(
            Told(
                asked,
                timezone.now(),
                verb,
                visit.pk,
                visit.revision,
                visit.start,
                visit.end,
                (visit.busy_start, visit.busy_end),
                visit.practitioner_id,
                visit.patient_id,
                {held.hold for held in own},
            )
        )

    def _any_visit(self) -> Appointment | None:
        """Some visit that was booked when one looked, while others look at the same one; else one that is off."""
        place = self._anywhere()
        at = Appointment.objects.filter(practitioner=place["practitioner"], start__gte=place["start"])
        booked = at.filter(status=Appointment.Status.BOOKED).order_by("start").first()
        return booked or at.order_by("start").first()

    def _somewhere(self) -> dict[str, Any]:
        """Often what one holds, or held until a moment ago: the client does not look at the clock."""
        if not self.holding or self.random.random() < 0.5:
            return self._anywhere()
        hold, _ = self.random.choice(self.holding)
        there = {"practitioner": hold.practitioner, "visit_type": hold.visit_type, "start": hold.start}
        return {"hold": hold, **(there if self.random.random() < 0.9 else self._anywhere())}

    def _anywhere(self) -> dict[str, Any]:
        visit_type = self.random.choice(self.world.visit_types)
        start = self.random.choice(self.world.starts[visit_type.pk])
        if self.random.random() < 0.02:
            start += timedelta(minutes=1)  # none of anybody's times
        return {
            "practitioner": self.random.choice(self.world.practitioners),
            "visit_type": visit_type,
            "start": start,
        }


def _covers(held: Held, visit: Appointment) -> bool:
    begin, end = held.busy
    return held.practitioner == visit.practitioner_id and begin < visit.busy_end and visit.busy_start < end


def run_clients(world: World, numbers: range, operations: int, seed: int, seconds: float = 60) -> Memory:
    """Let the clients of these numbers loose together, in threads, each with so many operations or ``seconds``."""
    until = time.monotonic() + seconds
    memory = Memory()
    with ThreadPoolExecutor(len(numbers)) as pool:
        for one in pool.map(lambda number: Client(world, number, seed).run(operations, until), numbers):
            memory.add(one)
    return memory
