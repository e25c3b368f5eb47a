"""How each stream goes: from counters and from what receivers report (RFC 3550 section 6.4)."""

import asyncio
import time

import pytest

from tests.headless import Participant, eventually
from visits.relay import rtcp
from visits.relay.reported import Reported
from visits.relay.rtcp import ReportBlock
from visits.relay.statistics import Counted, Statistics
from visits.relay.wire import RoomEvent, StreamFigures

NTP = 0xE5A1_0000_1234_5678


def block(highest: int, *, lost: int = 0, fraction: int = 0, last_sr: int = 0, delay: float = 0.0) -> ReportBlock:
    return ReportBlock(1, fraction << 24 | lost & 0xFFFFFF, highest, 480, last_sr, int(delay * 65536))


def test_the_round_trip_is_of_the_relays_own_leg():
    # 80 ms on the way, and the receiver kept the report for half a second (RFC 3550 section 6.4.1, figure 2).
    slot = Reported()
    slot.sent(NTP, 10.0)
    slot.note(block(100, last_sr=NTP >> 16 & 0xFFFFFFFF, delay=0.5), 10.58)
    _, jitter, round_trip = slot.look(48000, 10.6)
    assert round_trip == pytest.approx(0.08, abs=0.001)
    assert jitter == pytest.approx(0.01)


@pytest.mark.parametrize(("last_sr", "delay", "at"), [(0, 0.0, 11.0), (77, 0.0, 11.0), (0x1234, 0.0, 100.0)])
def test_an_answer_to_no_report_of_ours_says_nothing_of_the_round_trip(last_sr, delay, at):
    slot = Reported()
    slot.sent(0x1234 << 16, 10.0)
    slot.note(block(100, last_sr=last_sr, delay=delay), at)
    assert slot.look(48000, at)[2] is None


def test_a_receiver_that_claims_to_have_waited_longer_than_it_did_is_at_most_near():
    slot = Reported()
    slot.sent(NTP, 10.0)
    slot.note(block(100, last_sr=NTP >> 16 & 0xFFFFFFFF, delay=5), 10.1)
    assert slot.look(48000, 10.1)[2] == 0


def test_reports_that_nobody_answers_are_not_kept():
    slot = Reported()
    for number in range(1000):
        slot.sent(number << 16, float(number))
    slot.note(block(100, last_sr=7), 1000.0)
    assert slot.look(48000, 1000.0)[2] is None
    slot.note(block(200, last_sr=998), 1000.0)
    assert slot.look(48000, 1000.0)[2] == 2.0


def test_loss_is_what_was_lost_since_the_last_look_also_over_a_wrap():
    slot = Reported()
    slot.note(block(0xFFFFFFFF - 49, lost=7, fraction=64), 1.0)
    assert slot.look(90000, 1.1)[0] == 0.25  # all that the first one says
    slot.note(block(50, lost=17), 2.0)
    assert slot.look(90000, 2.1)[0] == pytest.approx(0.1)
    assert slot.look(90000, 3.1)[0] == pytest.approx(0.1)  # nothing new
    slot.note(block(150, lost=15), 4.0)  # two came after all
    assert slot.look(90000, 4.1)[0] == 0
    assert slot.look(90000, 30.0) == (None, None, None)


@pytest.mark.parametrize("lost", [-5, 10**6])
def test_loss_stays_between_none_and_all(lost):
    slot = Reported()
    slot.note(block(100), 1.0)
    slot.note(block(200, lost=lost), 2.0)
    assert slot.look(90000, 2.0)[0] in (0, 1)


def test_a_receiver_that_begins_anew_is_taken_from_there():
    slot = Reported()
    slot.note(block(100_000, lost=50), 1.0)
    slot.note(block(20), 2.0)
    slot.note(block(120, lost=10), 3.0)
    assert slot.look(90000, 3.0)[0] == pytest.approx(0.1)


def test_growth_counts_bits_and_missing_numbers():
    before = Counted(1.0, 1000, 10, 65530)
    assert Counted(3.0, 26_000, 50, 34).since(before) == (100_000, 40, 40)
    assert Counted(3.0, 26_000, 50, 44).since(before).expected == 50
    assert Counted(3.0, 26_000, 50, 30_000).since(Counted(1.0, 1000, 10, 65530 - 30_000)).expected == 40  # a new stream
    assert before.since(None) == (0, 0, 0)


def test_rooms_are_looked_at_once_a_second_each_at_its_own_time():
    statistics = Statistics()
    looks: dict[str, list[float]] = {"a": [], "b": []}
    for tenth in range(50):
        now = tenth / 10
        for room in statistics.due(["a"] if tenth < 5 else ["a", "b"], now):
            statistics.look(room, [], now)
            looks[room].append(now)
    assert [len(at) for at in looks.values()] == [4, 4]
    assert not set(looks["a"]) & set(looks["b"])
    statistics.due([], 6.0)
    assert statistics._looks == {}


async def look(relay) -> list[StreamFigures]:
    """The figures of the next second."""
    found: list[StreamFigures] = []

    def came() -> bool:
        for _, event in relay.engine.figures(time.monotonic()):
            found[:] = event.streams
        return bool(found)

    await eventually(came)
    return found


async def test_every_stream_of_a_call_has_figures(relay):
    ann, ben = people = [Participant(name) for name in ("ann", "ben")]
    await relay.enter(*people)
    await ann.sees("ben", 0)
    await ben.sees("ann", 0)
    await look(relay)
    streams = await look(relay)
    ways = {(s.sender, s.receiver, s.role) for s in streams}
    both = [("ann", "ben"), ("ben", "ann"), ("ann", None), ("ben", None)]
    assert ways == {(*way, role) for way in both for role in ("microphone", "camera")}
    for one in streams:
        assert one.bitrate > 1000
        assert one.loss == (0 if one.receiver is None else None)  # nobody has reported
    assert relay.engine.statistics.bitrate == sum(s.bitrate for s in streams if s.receiver)


async def test_what_a_receiver_reports_and_what_never_came(relay):
    ann, ben = people = [Participant(name) for name in ("ann", "ben")]
    await relay.enter(*people)
    await ben.sees("ann", 0)
    await eventually(lambda: ben.sender_reports)
    report = ben.sender_reports[-1]
    ben.send_rtcp(
        rtcp.receiver_report(
            [ReportBlock(report.ssrc, 51 << 24, ben.seen(0)[-1].sequence, 900, report.ntp >> 16 & 0xFFFFFFFF, 0)]
        )
    )
    await look(relay)
    for _ in range(20):
        ann.publish(ann.camera, skip=1)
    streams = {(s.sender, s.receiver, s.role): s for s in await look(relay)}
    down = streams["ann", "ben", "camera"]
    assert down.loss == pytest.approx(0.2, abs=0.01)
    assert down.jitter == pytest.approx(0.01)
    assert down.round_trip is not None
    assert streams["ann", None, "camera"].loss > 0.1
    assert streams["ann", None, "microphone"].loss == 0


async def test_who_left_leaves_nothing_behind(relay):
    await relay.enter(Participant("ann"), Participant("ben"))
    await look(relay)
    relay.engine.leave("room", "ann", 1)
    await asyncio.sleep(1.1)
    relay.engine.figures(time.monotonic())
    looks = relay.engine.statistics._looks
    assert {stream.owner.peer_id for stream in looks["room"].counted} == {"ben"}
    relay.engine.close_room("room")
    relay.engine.figures(time.monotonic())
    assert looks == {}


def test_an_event_with_figures_survives_the_wire_and_holds_no_address():
    event = RoomEvent("stats", "", 0, streams=[StreamFigures("a", None, "camera", 1, 0.5, None, 0.1)])
    assert RoomEvent.from_text(event.to_text()) == event


async def test_a_node_tells_the_room_and_its_pulse_what_it_costs(nodes, client, people):
    node = nodes()
    ann, ben = people("ann"), people("ben")
    async with client.events("room") as events:
        await ann.join(client, "room")
        await ben.join(client, "room")
        async with asyncio.timeout(10):
            async for event in events:
                if event.kind == "stats" and len(event.streams) == 8:
                    break
    assert "127.0.0.1" not in event.to_text()

    async with asyncio.timeout(10):
        while not ((pulse := (await client.pulses())[node.node]).bitrate and pulse.facts["us_per_packet"]):
            await asyncio.sleep(0.1)
    found = pulse.facts
    assert found["packets_per_batch"] >= 1
    assert found["loop_lag_ms"] >= 0
    assert found["counted"]["forwarded"] > 0
    assert found["refused"] == {}
