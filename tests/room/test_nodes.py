"""Which relay node gets a room: the database decides, whoever asks at once, whatever becomes of Redis."""

from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests import factories
from visits.relay.client import Pulse
from visits.room import nodes
from visits.room.models import Encounter, RelayNode

State = RelayNode.State


def pulse(**fields: Any) -> Pulse:
    return Pulse(**{"address": "192.0.2.1:7000", "rooms": 0, "peers": 0, "capacity": 100, "cpu": 0.0, "bitrate": 0,
                    "load": 0.0, "age": 0.1, **fields})  # fmt: skip


def make_node(name: str, **fields: Any) -> RelayNode:
    return RelayNode.objects.create(pk=name, **{"seen_at": timezone.now(), "capacity": 100, **fields})


@pytest.fixture
def encounters(practitioner: Any, clinic: Any) -> list[Encounter]:
    """Ten visits that go on."""
    made = []
    for number in range(10):
        visit = factories.make_visit(
            practitioner, patient=factories.make_patient(clinic), start=timezone.now() + timedelta(hours=number)
        )
        made.append(Encounter.objects.create(appointment=visit, started_at=timezone.now(), encryption="off"))
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Which rooms' sockets were told that their node is not theirs any more, and whether it is dead."""
    heard: list[tuple[str, bool]] = []
    monkeypatch.setattr(nodes.events, "relay_left", lambda _visit, node, *, dead: heard.append((node, dead)))
    monkeypatch.setattr(nodes.media, "close_on_commit", lambda *_, **__: None)
    return heard


def test_a_room_goes_to_the_least_loaded_node_and_stays(encounter: Encounter) -> None:
    make_node("busy", load=0.5)
    idle = make_node("idle", load=0.1)

    assert nodes.node_of(encounter.pk) is None
    assert nodes.place(encounter) == "idle"

    RelayNode.objects.filter(pk=idle.pk).update(load=0.9)
    assert nodes.place(encounter) == nodes.node_of(encounter.pk) == "idle"


def test_rooms_that_come_at_once_spread_though_no_pulse_tells_of_them(encounters: list[Encounter]) -> None:
    make_node("one")
    make_node("two")

    placed = [nodes.place(encounter) for encounter in encounters]

    assert placed.count("one") == placed.count("two") == 5


@pytest.mark.parametrize("fields", [{"state": State.GONE}, {"state": State.DRAINING}])
def test_a_node_that_is_gone_or_drained_gets_no_room(encounter: Encounter, fields: dict[str, Any]) -> None:
    make_node("one", **fields)

    with pytest.raises(nodes.NoNode):
        nodes.place(encounter)


def test_nor_does_one_that_nobody_has_seen_for_long(encounter: Encounter) -> None:
    make_node("one", seen_at=timezone.now() - timedelta(minutes=1))

    with pytest.raises(nodes.NoNode):
        nodes.place(encounter)


def test_when_all_are_full_that_is_said(encounter: Encounter) -> None:
    make_node("one", full="rooms")
    make_node("two", full="peers", load=1.2)

    with pytest.raises(nodes.AllFull):
        nodes.place(encounter)


def test_a_node_that_refused_a_room_does_not_get_it_again(encounter: Encounter, told: Any) -> None:
    make_node("one")
    nodes.place(encounter)
    with pytest.raises(nodes.NoNode):
        nodes.place(encounter, unless="one")
    assert nodes.node_of(encounter.pk) == "one"

    make_node("two", load=0.9)

    assert nodes.place(encounter, unless="one") == nodes.place(encounter, unless="one") == "two"


def test_a_room_of_a_dead_node_moves_with_the_next_join(encounter: Encounter, told: list[tuple[str, bool]]) -> None:
    nodes.note({"one": pulse()})
    nodes.place(encounter)

    nodes.note({"one": pulse(age=3.0)}, dead={"one"})

    assert told == [("one", True)]
    assert nodes.node_of(encounter.pk) is None
    nodes.note({"one": pulse(age=4.0), "two": pulse()}, dead={"one"})
    assert nodes.place(encounter) == "two"


def test_the_death_of_a_node_is_told_once(encounters: list[Encounter], told: list[tuple[str, bool]]) -> None:
    nodes.note({"one": pulse()})
    for encounter in encounters:
        nodes.place(encounter)

    for _ in range(3):
        nodes.note({"one": pulse(age=3.0)}, dead={"one"})

    assert len(told) == len(encounters)


def test_a_goodbye_is_a_death(encounter: Encounter, told: list[tuple[str, bool]]) -> None:
    nodes.note({"one": pulse()})
    nodes.place(encounter)

    nodes.note({"one": pulse(gone=True)})

    assert told == [("one", True)]


def test_an_empty_redis_loses_no_placement(encounter: Encounter, told: list[tuple[str, bool]]) -> None:
    nodes.note({"one": pulse()})
    nodes.place(encounter)
    nodes.note({"one": pulse(), "two": pulse()})

    nodes.note({})

    assert nodes.place(encounter) == "one"
    assert told == []


def test_who_is_missing_in_redis_for_long_is_gone(encounter: Encounter, told: list[tuple[str, bool]]) -> None:
    nodes.note({"one": pulse()})
    nodes.place(encounter)
    seen(datetime.now(tz=timezone.get_current_timezone()) - timedelta(seconds=11))

    nodes.note({"two": pulse()})

    assert told == [("one", True)]
    assert nodes.place(encounter) == "two"


def seen(when: datetime) -> None:
    RelayNode.objects.update(seen_at=when)


def test_a_node_that_comes_back_may_have_new_rooms_and_not_its_old_ones(
    encounters: list[Encounter], told: list[tuple[str, bool]]
) -> None:
    nodes.note({"one": pulse()})
    first, second, *_ = encounters
    nodes.place(first)
    nodes.note({"one": pulse(age=3.0), "two": pulse()}, dead={"one"})
    nodes.place(first)

    nodes.note({"one": pulse(), "two": pulse(load=0.5)})

    assert RelayNode.objects.get(pk="one").state == State.ACTIVE
    seen(timezone.now())
    RelayNode.objects.filter(pk="two").update(load=0.5)
    assert nodes.place(second) == "one"
    assert nodes.node_of(first.pk) == "two"


def test_a_drained_node_keeps_its_rooms_and_gets_no_new_ones(encounters: list[Encounter], told: Any) -> None:
    one = make_node("one")
    first, second, *_ = encounters
    nodes.place(first)

    assert nodes.drain(one)
    assert not nodes.drain(one)

    make_node("two", load=0.9)
    assert (nodes.place(first), nodes.place(second)) == ("one", "two")
    nodes.note({"one": pulse(age=3.0), "two": pulse()}, dead={"one"})
    nodes.note({"one": pulse(), "two": pulse()})
    assert RelayNode.objects.get(pk="one").state == State.DRAINING  # though it seemed dead
    assert nodes.take_back(one)
    assert RelayNode.objects.get(pk="one").state == State.ACTIVE


def test_its_rooms_can_be_moved_at_once(encounters: list[Encounter], told: list[tuple[str, bool]]) -> None:
    one = make_node("one")
    for encounter in encounters:
        nodes.place(encounter)
    Encounter.objects.filter(pk=encounters[0].pk).update(status="finished", ended_at=timezone.now())
    nodes.drain(one)
    assert nodes.move_rooms(one) == (0, 9)

    make_node("two")

    assert nodes.move_rooms(one) == (9, 0)
    assert told == [("one", False)] * 9
    assert {nodes.node_of(encounter.pk) for encounter in encounters[1:]} == {"two"}


def test_rows_of_the_long_gone_are_removed(encounter: Encounter, told: Any) -> None:
    make_node("old", state=State.GONE, seen_at=timezone.now() - timedelta(days=2))
    Encounter.objects.filter(pk=encounter.pk).update(relay_node="old")

    nodes.note({"one": pulse()})

    assert set(RelayNode.objects.values_list("pk", flat=True)) == {"one"}
    assert nodes.place(encounter) == "one"


@pytest.mark.django_db(transaction=True)
def test_joins_at_once_never_split_a_room(encounters: list[Encounter], told: Any) -> None:
    """As from many web processes, each with a connection of its own, over three nodes of which one dies meanwhile."""
    for name in ("one", "two", "three"):
        make_node(name)
    answers: dict[Any, list[str]] = {encounter.pk: [] for encounter in encounters}

    def ask(encounter: Encounter) -> None:
        answers[encounter.pk].append(nodes.place(encounter))

    together([lambda one=one: ask(one) for one in encounters for _ in range(3)])

    assert all(len(places) == 3 and len(set(places)) == 1 for places in answers.values())
    lost = [encounter for encounter in encounters if nodes.node_of(encounter.pk) == "one"]
    assert lost
    for places in answers.values():
        places.clear()
    pulses = {"one": pulse(age=3.0), "two": pulse(), "three": pulse()}
    nodes.note(pulses, dead={"one"})
    together(
        [lambda one=one: ask(one) for one in lost for _ in range(4)] + [lambda: nodes.note(pulses, dead={"one"})] * 3
    )

    for encounter in lost:
        assert set(answers[encounter.pk]) == {nodes.node_of(encounter.pk)} <= {"two", "three"}


def together(work: list[Any]) -> None:
    """Run everything in threads that start together. What one raises fails the test."""
    barrier, failures = Barrier(len(work)), []

    def run(one: Any) -> None:
        try:
            barrier.wait()
            one()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
