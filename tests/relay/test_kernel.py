"""The layouts of kernel.py and mmsg.py, held to real system calls."""

import os
import select
import socket
import time

import pytest

from visits.relay import kernel
from visits.relay.hooks import in_place
from visits.relay.mmsg import BATCH, LENGTH, MESSAGE, Inbox, Outbox, address_word
from visits.relay.ring import HEAD, Ring

pytestmark = pytest.mark.skipif(kernel.libc is None, reason="no such system calls here")
LONGEST = 1500


@pytest.fixture
def ring():
    return Ring(in_place(), LONGEST, 4096)


@pytest.fixture
def sockets():
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for sock in made:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    yield made
    for sock in made:
        sock.close()


def put(ring: Ring, place: int, data: bytes) -> None:
    at = place * ring.stride + HEAD
    ring.memory[at : at + len(data)] = data


def take(outbox: Outbox, ring: Ring, place: int, length: int, name: int = 0) -> None:
    outbox.put(name, ring.base + place * ring.stride + HEAD, length)


def test_the_layouts_are_those_of_64_bit_linux():
    sizes = {name: kernel.ffi.sizeof(f"struct {name}") for name in ("iovec", "msghdr", "mmsghdr", "itimerspec")}
    assert sizes == {"iovec": 16, "msghdr": 56, "mmsghdr": 64, "itimerspec": 32}
    assert kernel.ffi.offsetof("struct mmsghdr", "msg_len") == 56


def test_datagrams_arrive_with_their_senders_and_leave_for_theirs(ring, sockets):
    relay, one, two = sockets
    inbox, outbox = Inbox(ring, LONGEST), Outbox(ring.stride, 8)
    sent = [(one, b"first"), (two, b""), (one, b"x" * LONGEST)]
    for sock, data in sent:
        sock.sendto(data, relay.getsockname())
    first = ring.reserve(BATCH, 0.0)
    assert inbox.receive(relay.fileno(), first) == 3
    assert inbox.messages[LENGTH::MESSAGE][:3].tolist() == [len(data) for _, data in sent]
    assert inbox.names[0:6:2].tolist() == [address_word(sock.getsockname()) for sock, _ in sent]
    for place, (_, data) in enumerate(sent, first):
        at = place * ring.stride + HEAD
        assert bytes(ring.memory[at : at + len(data)]) == data
        back = one if place == first + 1 else two
        take(outbox, ring, place, len(data), address_word(back.getsockname()))
    assert outbox.send(relay.fileno()) == 0
    assert [two.recv(2048), two.recv(2048), one.recv(2048)] == [b"first", b"x" * LONGEST, b""]
    assert outbox.calls == 1


def test_other_datagrams_leave_in_their_turn_until_there_is_no_room(ring, sockets):
    relay, one, _ = sockets
    outbox, name = Outbox(ring.stride, 2 * BATCH), address_word(one.getsockname())
    first = ring.reserve(2, 0.0)
    for place in (first, first + 1):
        put(ring, place, b"packet")
    take(outbox, ring, first, 6, name)
    assert outbox.mail(b"letter", name)
    take(outbox, ring, first + 1, 6, name)
    assert not outbox.mail(bytes(ring.stride + 1), name)
    assert outbox.send(relay.fileno()) == 0
    assert [one.recv(99), one.recv(99), one.recv(99)] == [b"packet", b"letter", b"packet"]
    assert [outbox.mail(bytes([number]), name) for number in range(BATCH + 1)] == [True] * BATCH + [False]
    assert outbox.send(relay.fileno()) == 0
    assert [one.recv(9)[0] for _ in range(BATCH)] == list(range(BATCH))


def test_a_datagram_that_is_too_long_shows(ring, sockets):
    relay, one, _ = sockets
    inbox = Inbox(ring, LONGEST)
    one.sendto(b"x" * 4000, relay.getsockname())
    assert inbox.receive(relay.fileno(), ring.reserve(BATCH, 0.0)) == 1
    assert inbox.messages[LENGTH] == LONGEST + 1


def test_nothing_there_is_no_error_and_a_closed_socket_is_one(ring, sockets):
    inbox = Inbox(ring, LONGEST)
    assert inbox.receive(sockets[0].fileno(), ring.reserve(BATCH, 0.0)) == 0
    descriptor = os.open(os.devnull, os.O_RDONLY)
    assert inbox.receive(descriptor, ring.reserve(BATCH, 0.0)) == -1
    os.close(descriptor)


def test_what_cannot_be_sent_is_counted_and_the_rest_is_sent(ring, sockets):
    relay, one, _ = sockets
    outbox = Outbox(ring.stride, 8)
    good, nowhere = address_word(one.getsockname()), address_word(("255.255.255.255", 9))  # needs SO_BROADCAST
    first = ring.reserve(8, 0.0)
    for place, name in enumerate([good, nowhere, good], first):
        put(ring, place, bytes([place]))
        take(outbox, ring, place, 1, name)
    assert outbox.send(relay.fileno()) == 1
    assert [one.recv(9), one.recv(9)] == [bytes([first]), bytes([first + 2])]


def test_a_full_buffer_loses_the_rest_at_once(ring):
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.setblocking(False)
    outbox = Outbox(ring.stride, BATCH)
    for i in range(BATCH):
        outbox._messages[i].msg_hdr.msg_name = kernel.NULL
        outbox._messages[i].msg_hdr.msg_namelen = 0
        put(ring, i, b"x" * LONGEST)
    lost = 0
    for _ in range(20):
        for place in range(BATCH):
            take(outbox, ring, place, LONGEST)
        lost += outbox.send(left.fileno())
    assert lost > BATCH
    assert outbox.calls < 60
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
