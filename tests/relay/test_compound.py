"""Ordinary reports by compiled code: what Python would do with them, and never anything that Python should see."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest

from tests.headless import Participant, eventually
from tests.relay.conftest import Relay
from visits.relay import bandwidth, kernel, reported, rtcp
from visits.relay.bandwidth import LOSS_SPAN, TRIAL
from visits.relay.config import Limits
from visits.relay.hooks import in_place
from visits.relay.ingress import RTCP_BYTES
from visits.relay.peer import HEARD, Peer
from visits.relay.rtcp import ReportBlock, SenderReport
from visits.relay.slots import Slot
from visits.relay.tables import OWN_SSRCS, REPORTS

pytestmark = pytest.mark.skipif(
    kernel.libc is None or in_place() is None,
    reason="compiled code handles reports only on 64-bit Linux with pylibsrtp's binding",
)
NTP = 0xE5A1_2345_89AB_CDEF
SDES = b"\x81\xca\x00\x02\0\0\0\1\x01\x01a\0"
LOST = 30 << 24


class Call:
    """Ann and Ben on the batched path, after their lines' trials; `seen` are the packets that reached Python."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.ann, self.ben = Participant("ann"), Participant("ben")
        self.seen: list[bytes] = []

    async def begin(self) -> None:
        self.ann._report = self.ben._report = lambda stream: None  # only what a test sends
        await self.relay.enter(self.ann, self.ben)
        await eventually(lambda: all(track.route for track in (*self.tracks("ann"), *self.tracks("ben"))))
        feedback = self.relay.engine.ingress._feedback
        receive = feedback.receive

        def seen(peer: Peer, packet: bytes, now: float) -> None:
            self.seen.append(packet)
            receive(peer, packet, now)

        feedback.receive = seen
        for person in (self.ann, self.ben):
            person.send_rtcp(rtcp.receiver_report([self.block(person)]) + self.remb(person))
            await eventually(lambda person=person: self.peer(person.name).participant)
            await eventually(lambda person=person: self.peer(person.name).sent.rate)
            self.peer(person.name).line._raised_at = time.monotonic() - 2 * TRIAL
            person.send_rtcp(rtcp.receiver_report([self.block(person, "audio")]) + self.remb(person))
            person.send_rtcp(compound(person, []))  # the first under each SSRC goes through Python
        await eventually(lambda: len(self.seen) == 6)
        self.seen.clear()

    def peer(self, name: str) -> Peer:
        return self.relay.engine.halls["room"].copies[name]

    def tracks(self, name: str) -> list:
        return [self.peer(name).tracks[role] for role in ("microphone", "camera")]

    def slot(self, person: Participant, kind: str = "video") -> Slot:
        return next(s for s in self.peer(person.name).every_slot() if s.kind == kind and s.source is not None)

    def block(self, person: Participant, kind: str = "video", loss: int = 0, last_sr: int = 0) -> ReportBlock:
        slot = self.slot(person, kind)
        return ReportBlock(slot.ssrc, loss, slot.last_sequence + 0x10000, 900, last_sr, 0)

    def remb(self, person: Participant, bitrate: int = 4_000_000) -> bytes:
        return rtcp.remb(bitrate, [self.slot(person).ssrc])

    async def send(self, person: Participant, packet: bytes) -> None:
        """Send a report, and wait until the relay has dealt with it."""
        received = self.relay.engine.counters["srtcp_rejected"]
        self.peer(person.name).purse[HEARD] = heard = 0.0
        before = len(self.seen)
        person.send_rtcp(packet)
        await eventually(
            lambda: (
                self.peer(person.name).purse[HEARD] > heard
                or len(self.seen) > before
                or self.relay.engine.counters["srtcp_rejected"] > received
            )
        )


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    relay = Relay(Limits(), "batched")
    made = Call(relay)
    await made.begin()
    yield made
    await relay.close()


def compound(person: Participant, blocks: list[ReportBlock], *rest: bytes) -> bytes:
    """As browsers write it: an SR with blocks, a name, and what else there is."""
    camera = person.camera
    report = rtcp.sender_report(SenderReport(camera.ssrc, NTP, camera.timestamp, 1, 1))
    packed = rtcp.receiver_report(blocks)[8:]
    words = len(report + packed) // 4 - 1
    return bytes([0x80 | len(blocks), rtcp.SR]) + words.to_bytes(2, "big") + report[4:] + packed + SDES + b"".join(rest)


async def test_a_sender_report_goes_on_in_the_slots_own_terms(call):
    ann, slot, track = call.ann, call.slot(call.ben), call.tracks("ann")[1]
    heard, timestamp = len(call.ben.sender_reports), ann.camera.timestamp
    await call.send(ann, compound(ann, [call.block(ann)], call.remb(ann)))
    await eventually(lambda: len(call.ben.sender_reports) > heard)
    assert call.seen == []
    report = call.ben.sender_reports[-1]
    last = call.ben.seen(0)[-1]
    assert report.ssrc == slot.ssrc
    assert report.ntp == NTP
    assert report.timestamp == timestamp + slot.timestamp_offset & 0xFFFFFFFF
    assert abs(report.timestamp - last.timestamp) <= 90_000 / 5
    track.settle()
    assert slot.packets - 5 <= report.packets <= slot.packets
    assert report.octets == pytest.approx(slot.octets, rel=0.1)
    assert call.peer("ann").receptions[ann.camera.ssrc].heard[0] == NTP >> 16 & 0xFFFFFFFF


async def test_its_counts_go_on_behind_what_python_has_sent(call):
    ann, slot = call.ann, call.slot(call.ben)
    for _ in range(3):
        late = ann.packet(ann.camera, b"\x10\x01" + b"l" * 300)
        ann.camera.sequence += 1
        ann.publish(ann.camera)
        sent = slot.packets
        ann.send_rtp(late.replace(late[2:4], (ann.camera.sequence - 1 & 0xFFFF).to_bytes(2, "big"), 1))
        await eventually(lambda sent=sent: slot.packets > sent)
    await asyncio.sleep(0.1)
    heard = len(call.ben.sender_reports)
    await call.send(ann, compound(ann, []))
    await eventually(lambda: len(call.ben.sender_reports) > heard)
    assert call.seen == []
    call.tracks("ann")[1].settle()
    assert slot.packets - 5 <= call.ben.sender_reports[-1].packets <= slot.packets


async def test_what_a_receiver_says_of_good_times_is_known_without_python(call):
    ben, slot = call.ben, call.slot(call.ben)
    await call.send(call.ann, compound(call.ann, []))
    block = call.block(ben, last_sr=NTP >> 16 & 0xFFFFFFFF)
    await call.send(ben, rtcp.receiver_report([block, call.block(ben, "audio")]) + call.remb(ben, 4_500_000))
    assert call.seen == []
    loss, jitter, round_trip = slot.reported.look(90000, time.monotonic())
    assert loss == 0
    assert jitter == 0.01
    assert 0 <= round_trip < 1
    assert call.peer("ben").line.book[bandwidth.ESTIMATE] == 4_500_000
    assert call.peer("ben").line.is_estimated(time.monotonic())
    call.peer("ben").settle()
    assert call.peer("ben").heard_at >= call.peer("ben").purse[HEARD] > 0


TROUBLE = {
    "loss": lambda call: rtcp.receiver_report([call.block(call.ben, loss=LOST)]),
    "lost sound": lambda call: rtcp.receiver_report([call.block(call.ben, "audio", loss=LOST)]),
    "a short estimate": lambda call: rtcp.receiver_report([]) + call.remb(call.ben, 1000),
    "an estimate that falls": lambda call: rtcp.receiver_report([]) + call.remb(call.ben, 3_800_000),
    "a request": lambda call: rtcp.receiver_report([]) + rtcp.pli(call.slot(call.ben).ssrc),
    "a repair": lambda call: rtcp.receiver_report([]) + rtcp.nack(call.slot(call.ben).ssrc, [1]),
    "a receiver that began anew": lambda call: rtcp.receiver_report([call.block(call.ben)._replace(highest=5)]),
    "a stream that is not known": lambda call: (
        rtcp.sender_report(SenderReport(99, NTP, 0, 1, 1))[:4]
        + call.ben.camera.ssrc.to_bytes(4, "big")
        + rtcp.sender_report(SenderReport(99, NTP, 0, 1, 1))[8:]
        + rtcp.sender_report(SenderReport(99, NTP, 0, 1, 1))
    ),
    "a message that is cut off": lambda call: rtcp.receiver_report([]) + b"\x81\xc9\x00\x07" + bytes(8),
    "blocks that are not there": lambda call: b"\x82\xc9\x00\x01\0\0\0\1",
    "another version": lambda call: rtcp.receiver_report([]) + b"\x41\xc9\x00\x00",
    "an estimate that counts wrong": lambda call: rtcp.receiver_report([]) + call.remb(call.ben)[:-4] + bytes(8),
    "too much": lambda call: rtcp.receiver_report([]) * 70,
}


async def test_the_first_estimate_begins_a_trial_also_where_reports_came_before_it(call):
    ben, line = call.ben, call.peer("ben").line
    line.book[bandwidth.ESTIMATE], line._raised_at = 0.0, float("-inf")
    line.watch(0.0)
    packet = rtcp.receiver_report([]) + call.remb(ben)
    await call.send(ben, packet)
    assert call.seen == [packet]
    assert line._in_trial(time.monotonic())


async def test_good_reports_do_not_thin_out_the_losses_after_them(call):
    ben, losses = call.ben, call.peer("ben").losses
    for _ in range(3):
        await asyncio.sleep(LOSS_SPAN)
        await call.send(ben, rtcp.receiver_report([call.block(ben)]))
    assert call.seen == []
    await asyncio.sleep(LOSS_SPAN)
    shares: list[float | None] = []
    read = losses.read
    losses.read = lambda now: shares.append(read(now))
    await call.send(ben, rtcp.receiver_report([call.block(ben, loss=LOST)]))
    assert shares == [pytest.approx(30 / 256)]


@pytest.mark.parametrize("what", TROUBLE)
async def test_python_sees_all_trouble_as_it_was_sent_and_once(call, what):
    packet = TROUBLE[what](call)
    await call.send(call.ben, packet)
    await asyncio.sleep(0.05)
    assert call.seen == [packet]


async def test_after_trouble_python_looks_until_all_is_well(call):
    ben, line = call.ben, call.peer("ben").line
    good = rtcp.receiver_report([call.block(ben)]) + call.remb(ben)
    await call.send(ben, rtcp.receiver_report([call.block(ben, loss=LOST)]))
    assert line.book[bandwidth.UNWATCHED_FROM] == float("inf") or call.peer("ben").losses.book[bandwidth.LOST]
    for _ in range(3):
        await call.send(ben, good)
        await asyncio.sleep(0.6)
    call.seen.clear()
    await call.send(ben, good)
    assert call.seen == []


async def test_losses_that_wait_to_be_looked_at_are_not_forgotten_for_a_report_of_sound(call):
    losses = call.peer("ben").losses
    losses.book[bandwidth.EXPECTED], losses.book[bandwidth.LOST] = 100.0, 20.0
    losses.book[bandwidth.SINCE] = time.monotonic() - 2 * LOSS_SPAN
    packet = rtcp.receiver_report([call.block(call.ben, "audio")])
    await call.send(call.ben, packet)
    assert call.seen == [packet]
    assert call.peer("ben").line._lossy


async def test_a_step_up_is_watched(call):
    call.peer("ben").line.rise(1e6, time.monotonic())
    await call.send(call.ben, call_report := rtcp.receiver_report([call.block(call.ben)]))
    assert call.seen == [call_report]


async def test_forged_and_replayed_reports_are_refused_and_counted(call):
    counters, ben = call.relay.engine.counters, call.ben
    report = ben.link.protect_rtcp(rtcp.receiver_report([call.block(ben)]))
    ben.send(report)
    ben.send(report)
    await eventually(lambda: counters["srtcp_rejected"] == 1)
    ben.send(report[:8] + bytes(len(report) - 8))
    await eventually(lambda: counters["srtcp_rejected"] == 2)
    assert call.seen == []


async def test_reports_are_paid_for(call):
    peer, counters = call.peer("ben"), call.relay.engine.counters
    call.ben.silence()
    await asyncio.sleep(0.1)
    peer.settle()
    report = rtcp.receiver_report([call.block(call.ben)] * 10)
    call.relay.stop_clock()
    peer.budget = before = 100.0
    await call.send(call.ben, report)
    assert before - peer.budget == 1 + len(call.ben.link.protect_rtcp(report)) // RTCP_BYTES + 10
    peer.budget = 5.0  # enough to look at it, but not for what it asks for
    refused = counters["over_budget"]
    call.ben.send_rtcp(report)
    await eventually(lambda: counters["over_budget"] > refused)
    assert call.seen == [report]


async def test_who_reports_under_ever_new_ssrcs_gets_few_of_them_known(call):
    peer = call.peer("ben")
    for ssrc in range(900, 900 + 2 * OWN_SSRCS):
        call.ben.send_rtcp(rtcp.receiver_report([])[:4] + ssrc.to_bytes(4, "big"))
    await eventually(lambda: len(call.seen) == 2 * OWN_SSRCS)
    row = call.relay.port._participants.tables.participants[peer.participant.row]
    assert row["known"] == OWN_SSRCS


async def test_who_moves_or_leaves_is_known_there_no_longer(call):
    tables, peer = call.relay.port._participants.tables, call.peer("ben")
    old = peer.participant
    await call.ben.move()
    await eventually(lambda: peer.participant is not old)
    call.ben.send_rtcp(rtcp.receiver_report([call.block(call.ben)]))
    await eventually(lambda: peer.participant)
    assert len(call.relay.port._participants.by_row) == 2
    call.relay.engine.leave("room", "ben", 1)
    assert {one.peer.peer_id for one in call.relay.port._participants.by_row.values()} == {"ann"}
    assert sum(1 for row in tables.routes if row["ssrc"] == REPORTS and tables.find(row["sender"], REPORTS) >= 0) == 1


async def test_random_reports_leave_the_same_as_python_would(call):
    chance, ben, peer = random.Random(8), call.ben, call.peer("ben")
    slots = [call.slot(ben), call.slot(ben, "audio")]
    handled = 0
    for _ in range(300):
        blocks = [
            ReportBlock(
                chance.choice([slots[0].ssrc, slots[1].ssrc, 77]), chance.choice([0, 0, 0, 0, 5, 0xFFFFFF, LOST]),
                int(max(slot.reported.book[reported.HIGHEST] for slot in slots)) + chance.choice([0, 1, 300, 40_000]),
                chance.getrandbits(32), chance.choice([0, NTP >> 16 & 0xFFFFFFFF, 5]), chance.getrandbits(20),
            )
            for _ in range(chance.choice([0, 1, 2, 5]))
        ]  # fmt: skip
        packet = rtcp.receiver_report(blocks)
        if chance.random() < 0.6:
            packet += rtcp.remb(chance.choice([3_000_000, 5_000_000, 1 << 50]), [1] * chance.choice([0, 1, 3]))
        peer.line._raised_at = time.monotonic() - 2 * TRIAL
        peer.losses.book[bandwidth.LOST], peer.line.book[bandwidth.ESTIMATE] = 0.0, 3_000_000.0
        peer.line.watch(peer.sent.rate)
        before, call.seen[:] = state(peer), []
        await call.send(ben, packet)
        if call.seen:
            continue
        handled += 1
        after, now = state(peer), peer.purse[HEARD]
        restore(peer, before)
        call.relay.engine.ingress._feedback.receive(peer, packet, now)
        assert state(peer) == after
    assert handled > 80


def state(peer: Peer) -> dict:
    """What a report can change."""
    slots = peer.every_slot()
    line = {name: value for name, value in vars(peer.line).items() if name not in ("book", "_raised_at", "used")}
    return {
        "reported": [slot.reported.book[:] for slot in slots],
        "bases": [(slot.reported._base, slot.reported._loss) for slot in slots],
        "line": line, "book": peer.line.book[:], "losses": peer.losses.book[:],
    }  # fmt: skip


def restore(peer: Peer, before: dict) -> None:
    for slot, book in zip(peer.every_slot(), before["reported"], strict=True):
        slot.reported.book[:] = book
    peer.line.book[:] = before["book"]
    peer.losses.book[:] = before["losses"]
