"""How long the port stays in compiled code, from look to look: as long as nobody else is wanted, and no longer."""

import contextlib
import itertools
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest

from visits.relay import compiled, kernel, looking, paths, ring
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.mmsg import BATCH
from visits.relay.pacing import INTERVAL
from visits.relay.udp import bind

pytestmark = pytest.mark.skipif(kernel.libc is None, reason="no such system calls here")
REPORT = b"\x80\xc9\x00\x01\0\0\0\1"  # RTCP: for Python, but it can wait
PACKET = b"\x80\x60\x00\x01" + bytes(40)  # RTP without a route
MOST = 4


class Handed:
    """Stands for `Ingress`: what it was handed, of nobody that it knows."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.roster = self
        self.by_address: dict[tuple[str, int], object] = {}

    def datagram(self, data: bytes, source: tuple[str, int], now: float) -> None:
        self.datagrams.append(data)


class Port:
    """The batched port, looked at by hand while its timer runs."""

    def __init__(self, before: Callable[[tuple[str, int]], object] = id) -> None:
        self.counters, self.handed = Counters(), Handed()
        sock = bind("127.0.0.1", 0)
        self.address = sock.getsockname()
        before(self.address)
        self.port = paths.make_port(sock, Limits(), self.counters, "batched")
        self.port._ingress = self.handed
        kernel.set_timer(self.port._pacer.timer, INTERVAL)

    def look(self, most: int = MOST) -> tuple[int, int]:
        return self.port._look(most)


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.port._sock.close()


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.bind(("127.0.0.1", 0))
        yield made


@contextlib.contextmanager
def coming(send: Callable[[], object]) -> Iterator[None]:
    """Something comes several times between two looks, also while the port waits: from a process of its own."""

    def go_on() -> None:
        for _ in itertools.count():
            send()
            time.sleep(INTERVAL / 5)

    process = multiprocessing.get_context("fork").Process(target=go_on, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def test_where_there_is_nothing_one_look_is_all(port):
    assert port.look() == (1, 0)


def test_what_can_wait_does_and_nothing_is_lost(port, sender):
    with coming(lambda: sender.sendto(REPORT, port.address)):
        looked = [port.look()]
        while max(looked) < (MOST, MOST) and len(looked) < 5000:  # the sender, too, must get its turn in between
            looked.append(port.look())
    assert max(looks for looks, _ in looked) == MOST
    assert set(port.handed.datagrams) == {REPORT}
    assert len(port.handed.datagrams) == port.counters["received"]


def test_looks_are_an_interval_apart_also_where_the_event_loop_lets_nothing_block(port, sender):
    os.set_blocking(port.port._pacer.timer, False)  # as uvloop does with all that it watches
    stays: list[float] = []
    with coming(lambda: sender.sendto(REPORT, port.address)):
        for _ in range(5000):
            begun = time.monotonic()
            if port.look()[0] == MOST:
                stays.append(time.monotonic() - begun)
            if len(stays) == 5:
                break
    assert min(stays) > (MOST - 2) * INTERVAL  # the first wait ends when the timer next goes off


def test_who_may_look_once_does_not_wait_for_the_timer(port, sender):
    kernel.set_timer(port.port._pacer.timer, 0)
    sender.sendto(REPORT, port.address)
    assert port.look(1) == (1, 1)


def test_media_without_a_route_are_handed_on_at_once(port, sender):
    with coming(lambda: sender.sendto(PACKET, port.address)):
        looked: list[int] = []
        while len(port.handed.datagrams) < 5 and len(looked) < 5000:  # the sender, too, must get its turn
            time.sleep(INTERVAL)
            looked.append(port.look()[0])
    assert set(looked) <= {0, 1}
    assert set(port.handed.datagrams) == {PACKET}


def test_others_have_their_turn_under_any_flood(port, sender):
    for _ in range(3000):
        sender.sendto(REPORT, port.address)
    looks, count = port.look()
    assert (looks, count) == (0, looking.ROUNDS * BATCH)
    assert len(port.handed.datagrams) == count


def test_a_mistake_costs_one_packet_and_the_next_look_goes_on(port, sender, monkeypatch):
    book = port.port._book
    for _ in range(3):
        sender.sendto(REPORT, port.address)
    calls = []

    def look(*arrays: object) -> int:
        if not calls:
            calls.append(true_look)
            looking.receive(port.port._inbox.vectors, port.port._ring.array, port.port._system, arrays[-2])
            raise IndexError
        return true_look(*arrays)

    true_look = looking.look
    monkeypatch.setattr(looking, "look", look)
    port.look()
    assert port.counters["error_batch_IndexError"] == 1
    assert (book[compiled.AT], book[compiled.COUNT]) == (1, 3)
    port.look()
    assert port.handed.datagrams == [REPORT] * 2


def test_what_lies_there_is_taken_at_once_also_if_each_batch_is_for_others(port, sender):
    for _ in range(200):
        sender.sendto(PACKET, port.address)
    assert port.look(1) == (1, 200)
    assert port.handed.datagrams == [PACKET] * 200


def test_a_batch_that_ends_with_an_odd_packet_keeps_its_places(port, sender, monkeypatch):
    """Else the next one would be received over what still waits to be sent."""
    true_look = looking.look
    sender.sendto(REPORT, port.address)
    odd = [True]

    def look(*arrays: object) -> int:
        if odd.pop() if odd else False:
            looking.receive(port.port._inbox.vectors, port.port._ring.array, port.port._system, arrays[-2])
            return compiled.ODD
        return true_look(*arrays)

    monkeypatch.setattr(looking, "look", look)
    port.look()
    assert port.handed.datagrams == [REPORT]
    assert port.port._ring.book[ring.FIRST] == 1


def test_others_have_their_turn_however_much_is_answered(port, sender):
    """What is sent in between, since no more letters fit, does not begin the count anew."""
    port.port._pacer.running = True  # so that answers wait for each other
    answer = port.handed.datagram
    port.handed.datagram = lambda data, source, now: (answer(data, source, now), port.port.send(b"answer", source))
    for _ in range(3000):
        sender.sendto(REPORT, port.address)
    assert port.look() == (0, looking.ROUNDS * BATCH)
    assert port.counters["received"] == len(port.handed.datagrams) == looking.ROUNDS * BATCH


def test_what_waits_for_python_is_not_received_over(port, sender):
    """However soon the ring goes round: with many receivers a batch takes nine times as many places."""
    book = port.port._ring.book
    book[ring.SIZE] = book[ring.MOST] = BATCH + looking.COPIES
    sent = [REPORT + number.to_bytes(2, "big") for number in range(3 * BATCH + 5)]
    for data in sent:
        sender.sendto(data, port.address)
    port.look()
    assert port.handed.datagrams == sent


def test_what_comes_before_the_port_is_open_is_left_in_the_socket(sender):
    made = Port(before=lambda address: [sender.sendto(REPORT, address) for _ in range(600)])
    assert made.port._book[compiled.DEFERRED] == 0
    while made.look(1)[1]:
        pass
    assert made.handed.datagrams == [REPORT] * 600
    assert not [name for name in made.counters if name.startswith("error_")]
    made.port._sock.close()


@pytest.mark.parametrize("odd", [False, True])
def test_a_mistake_about_routes_costs_no_packet(port, sender, monkeypatch, odd):
    def consider(peer: object, packet: bytes) -> None:
        raise KeyError

    true_look, odds = looking.look, [odd]

    def look(*arrays: object) -> int:
        if odds.pop() if odds else False:
            looking.receive(port.port._inbox.vectors, port.port._ring.array, port.port._system, arrays[-2])
            return compiled.ODD
        return true_look(*arrays)

    port.handed.by_address[sender.getsockname()] = Mock(peer_id="ann")
    monkeypatch.setattr(port.port._routes, "consider", consider)
    monkeypatch.setattr(looking, "look", look)
    for _ in range(3):
        sender.sendto(PACKET, port.address)
    port.look()
    assert port.handed.datagrams == [PACKET] * 3
    assert port.counters["error_route_KeyError"] == 3
