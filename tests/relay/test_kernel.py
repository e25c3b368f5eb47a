"""The layouts of kernel.py and mmsg.py, held to real system calls."""

import os
import select
import socket
import time

import numpy
import pytest

from visits.relay import arrivals, compiled, kernel, looking, mmsg, ring, rtp
from visits.relay.hooks import in_place
from visits.relay.mmsg import BATCH, LENGTH, MESSAGE, Inbox, Outbox, address_word
from visits.relay.ring import HEAD, Ring

pytestmark = pytest.mark.skipif(kernel.libc is None, reason="no such system calls here")
LONGEST = 1500


class Port:
    """What `looking` wants of a port, for a socket's descriptor."""

    def __init__(self, descriptor: int, room: int = 8) -> None:
        self.ring = Ring(in_place(), LONGEST, 4096)
        self.inbox, self.outbox = Inbox(LONGEST), Outbox(self.ring.stride, room)
        self.scratch = kernel.scratch(-1)
        boxes = self.inbox.address, self.outbox.address, int(kernel.ffi.cast("uintptr_t", self.scratch))
        self.system = numpy.array([*kernel.addresses(), descriptor, -1, *boxes], "i8")
        self.book = numpy.zeros(compiled.BOOK, "i8")

    def receive(self) -> int:
        looking.receive(self.inbox.vectors, self.ring.array, self.system, self.book)
        return int(self.book[compiled.COUNT])

    def post(self) -> int:
        before = self.outbox.book[mmsg.LOST]
        looking.post(self.outbox.array, self.system)
        return self.outbox.book[mmsg.LOST] - before

    def put(self, place: int, data: bytes) -> None:
        at = place * self.ring.stride + HEAD
        self.ring.memory[at : at + len(data)] = data

    def take(self, place: int, length: int, name: int = 0) -> None:
        """As `compiled.seal` does."""
        outbox, here = self.outbox, 2 * self.outbox.book[mmsg.COUNT]
        outbox.names[here], outbox.vectors[here + 1] = name, length
        outbox.vectors[here] = self.ring.book[ring.BASE] + place * self.ring.stride + HEAD
        outbox.book[mmsg.COUNT] += 1


@pytest.fixture
def sockets():
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for sock in made:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    yield made
    for sock in made:
        sock.close()


def test_the_layouts_are_those_of_64_bit_linux():
    sizes = {name: kernel.ffi.sizeof(f"struct {name}") for name in ("iovec", "msghdr", "mmsghdr", "itimerspec")}
    assert sizes == {"iovec": 16, "msghdr": 56, "mmsghdr": 64, "itimerspec": 32}
    assert kernel.ffi.offsetof("struct mmsghdr", "msg_len") == 56
    assert kernel.ffi.sizeof("struct timespec") == 16


def test_datagrams_arrive_with_their_senders_and_leave_for_theirs(sockets):
    relay, one, two = sockets
    port = Port(relay.fileno())
    sent = [(one, b"first"), (two, b""), (one, b"x" * LONGEST)]
    for sock, data in sent:
        sock.sendto(data, relay.getsockname())
    before = time.monotonic_ns()
    assert port.receive() == 3
    assert before <= port.book[compiled.NOW] <= time.monotonic_ns()
    now = port.book[compiled.NOW] / 1e9
    assert abs(port.book[compiled.CLOCK] - int.from_bytes(rtp.clock(now), "big")) <= 1
    assert abs(port.book[compiled.TICK] - arrivals.at_tick(now)) <= 1 << 16
    first = int(port.book[compiled.FIRST])
    assert port.inbox.messages[LENGTH::MESSAGE][:3].tolist() == [len(data) for _, data in sent]
    assert port.inbox.names[0:6:2].tolist() == [address_word(sock.getsockname()) for sock, _ in sent]
    for place, (_, data) in enumerate(sent, first):
        assert port.ring.packet(place, len(data)) == data
        back = one if place == first + 1 else two
        port.take(place, len(data), address_word(back.getsockname()))
    assert port.post() == 0
    assert [two.recv(2048), two.recv(2048), one.recv(2048)] == [b"first", b"x" * LONGEST, b""]
    assert port.outbox.book[mmsg.CALLS] == 1


def test_other_datagrams_leave_in_their_turn_until_there_is_no_room(sockets):
    relay, one, _ = sockets
    port, name = Port(relay.fileno(), 2 * BATCH), address_word(one.getsockname())
    outbox = port.outbox
    for place in (0, 1):
        port.put(place, b"packet")
    port.take(0, 6, name)
    assert outbox.mail(b"letter", name)
    port.take(1, 6, name)
    assert not outbox.mail(bytes(port.ring.stride + 1), name)
    assert port.post() == 0
    assert [one.recv(99), one.recv(99), one.recv(99)] == [b"packet", b"letter", b"packet"]
    assert [outbox.mail(bytes([number]), name) for number in range(BATCH + 1)] == [True] * BATCH + [False]
    assert port.post() == 0
    assert [one.recv(9)[0] for _ in range(BATCH)] == list(range(BATCH))


def test_a_datagram_that_is_too_long_shows(sockets):
    relay, one, _ = sockets
    port = Port(relay.fileno())
    one.sendto(b"x" * 4000, relay.getsockname())
    assert port.receive() == 1
    assert port.inbox.messages[LENGTH] == LONGEST + 1


def test_nothing_there_is_no_error_and_no_socket_is_one(sockets):
    port = Port(sockets[0].fileno())
    assert (port.receive(), port.book[compiled.FAILED]) == (0, 0)
    descriptor = os.open(os.devnull, os.O_RDONLY)
    port = Port(descriptor)
    assert (port.receive(), port.book[compiled.FAILED]) == (0, 1)
    os.close(descriptor)


def test_what_cannot_be_sent_is_counted_and_the_rest_is_sent(sockets):
    relay, one, _ = sockets
    port = Port(relay.fileno())
    good, nowhere = address_word(one.getsockname()), address_word(("255.255.255.255", 9))  # needs SO_BROADCAST
    for place, name in enumerate([good, nowhere, good]):
        port.put(place, bytes([place]))
        port.take(place, 1, name)
    assert port.post() == 1
    assert [one.recv(9), one.recv(9)] == [bytes([0]), bytes([2])]


def test_a_full_buffer_loses_the_rest_at_once():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.setblocking(False)
    port = Port(left.fileno(), BATCH)
    for i in range(BATCH):
        port.outbox._messages[i].msg_hdr.msg_name = kernel.NULL
        port.outbox._messages[i].msg_hdr.msg_namelen = 0
        port.put(i, b"x" * LONGEST)
    lost = 0
    for _ in range(20):
        for place in range(BATCH):
            port.take(place, LONGEST)
        lost += port.post()
    assert lost > BATCH
    assert port.outbox.book[mmsg.CALLS] < 60
    left.close()
    right.close()


def test_a_timer_becomes_readable_again_and_again_until_it_is_stopped():
    timer = kernel.timer()
    kernel.set_timer(timer, 0.002)
    for _ in range(3):
        assert select.select([timer], [], [], 5)[0]
        assert int.from_bytes(os.read(timer, 8), "little") >= 1
    kernel.set_timer(timer, 0)
    time.sleep(0.005)
    assert not select.select([timer], [], [], 0)[0]
    os.close(timer)
