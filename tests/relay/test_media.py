"""Three people over the loopback interface: what is sent arrives, decrypted, where it should."""

import asyncio
from itertools import pairwise

import pytest

from tests.headless import Participant, Stream, eventually, numbered_on
from tests.relay.offers import AUDIO_PT, RTX_PT, VIDEO_PT
from visits.relay import rtcp, vp8
from visits.relay.arrivals import Reception
from visits.relay.bandwidth import BOOT_BITRATE
from visits.relay.tracks import Track

KINDS = pytest.mark.parametrize("kind", ["audio", "video"])


@pytest.fixture
async def trio(relay):
    people = [Participant(name) for name in ("ann", "ben", "cam")]
    await relay.enter(*people)
    for person in people:
        for index in (0, 1):
            for kind in ("audio", "video"):
                await eventually(lambda p=person, i=index, k=kind: p.seen(i, k))
    return people


def numbers_are_continuous(packets) -> bool:
    return all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))


async def test_everybody_receives_everybody_in_the_slot_that_the_view_names(relay, trio):
    await asyncio.sleep(0.5)
    for person in trio:
        view = relay.view(person.name).slots
        assert sorted(view.values()) == sorted({"ann", "ben", "cam"} - {person.name})
        for index, sender in view.items():
            for kind, number in (("audio", AUDIO_PT), ("video", VIDEO_PT)):
                packets = person.seen(index, kind)
                assert {p.sender for p in packets} == {sender}
                assert {p.payload_type for p in packets} == {number}
                assert numbers_are_continuous(packets)
        assert not [mid for mid in person.by_mid if mid.startswith("unannounced")]
        assert person.rtcp["rejected"] == 0


async def test_the_first_packet_of_a_slot_is_a_keyframe(trio):
    for person in trio:
        for index in (0, 1):
            packet = person.seen(index)[0]
            assert vp8.is_keyframe(packet.payload, 0)


async def test_a_late_joiner_makes_the_relay_ask_for_keyframes(relay, trio):
    asked = [person.rtcp["KeyframeRequest"] for person in trio]
    late = Participant("dan")
    await relay.enter(late)
    for index in range(3):
        await eventually(lambda i=index: late.seen(i))
        assert vp8.is_keyframe(late.seen(index)[0].payload, 0)
    assert all(person.rtcp["KeyframeRequest"] > before for person, before in zip(trio, asked, strict=True))


async def test_a_receivers_request_reaches_the_publisher_and_is_repeated_until_it_is_met(relay, trio):
    ann, ben, _ = trio
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    ssrc = next(s for s, mid in ben._mid_of.items() if mid == ben.slot_mid(index, "video"))
    # A camera that does not listen at first.
    publish = ann.publish
    ann.publish = lambda stream, **more: (setattr(stream, "keyframe_due", False), publish(stream, **more))[1]
    await asyncio.sleep(0.4)
    before = ann.rtcp["KeyframeRequest"]
    ben.send_rtcp(rtcp.pli(ssrc))
    await eventually(lambda: ann.rtcp["KeyframeRequest"] >= before + 3)
    ann.publish = publish
    ann.camera.keyframe_due = True
    await asyncio.sleep(0.2)
    after = ann.rtcp["KeyframeRequest"]
    await asyncio.sleep(1.0)
    assert ann.rtcp["KeyframeRequest"] == after


async def test_a_hundred_requests_become_a_few(relay, trio):
    ann, ben, _ = trio
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    ssrc = next(s for s, mid in ben._mid_of.items() if mid == ben.slot_mid(index, "video"))
    before = ann.rtcp["KeyframeRequest"]
    for _ in range(100):
        ben.send_rtcp(rtcp.pli(ssrc))
        await asyncio.sleep(0.005)
    assert 1 <= ann.rtcp["KeyframeRequest"] - before <= 6


async def test_the_screen_goes_to_the_screen_slot_of_the_others(relay, trio):
    ann, ben, cam = trio
    ann.sharing = True
    relay.engine.share("room", "ann", 1, on=True)
    for person in (ben, cam):
        mid = person.joined.screen_mid
        await eventually(lambda p=person, m=mid: len(p.by_mid[m]) > 10)
        assert {p.sender for p in person.by_mid[mid]} == {"ann"}
        assert vp8.is_keyframe(person.by_mid[mid][0].payload, 0)
        assert relay.view(person.name).screen == "ann"
    assert not ann.by_mid[ann.joined.screen_mid]
    relay.engine.share("room", "ann", 1, on=False)
    await asyncio.sleep(0.1)
    stopped = len(ben.by_mid[ben.joined.screen_mid])
    await asyncio.sleep(0.2)
    assert len(ben.by_mid[ben.joined.screen_mid]) == stopped
    assert relay.view("ben").screen is None


@KINDS
async def test_a_lost_packet_is_asked_for_at_once_and_its_repair_is_delivered(relay, trio, kind):
    ann, ben, _ = trio
    stream = ann.microphone if kind == "audio" else ann.camera
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    ann.publish(stream, skip=1)
    missing = stream.sequence - 1 & 0xFFFF
    await eventually(lambda: missing in ann.nacked)
    seen = len(ben.seen(index, kind))
    sequence, stream.sequence = stream.sequence, missing
    ann.send_rtp(ann.packet(stream, b"\x00\x01" + b"repaired".rjust(30) + ann.name.encode().ljust(16, b"\0")))
    stream.sequence = sequence
    await eventually(lambda: any(b"repaired" in p.payload for p in ben.seen(index, kind)[seen:]))
    packets = sorted({p.sequence for p in ben.seen(index, kind)[max(0, seen - 5) :]})
    assert all(b - a == 1 for a, b in pairwise(packets)) or 0 in packets


async def test_a_retransmission_stream_is_unwrapped_and_its_probes_are_dropped(relay, trio):
    ann, ben, _ = trio
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    ann.publish(ann.camera, skip=1)
    missing = ann.camera.sequence - 1 & 0xFFFF
    rtx = Stream("video", ann.camera.mid, 424242)
    body = b"\x00\x01" + b"by rtx".rjust(30) + ann.name.encode().ljust(16, b"\0")
    for payload in (missing.to_bytes(2, "big") + body, b"\0\1"):
        rtx.sequence += 1
        packet = bytearray(ann.packet(rtx, payload))
        packet[1] = RTX_PT
        ann.send_rtp(bytes(packet))
    await eventually(lambda: any(b"by rtx" in p.payload for p in ben.seen(index)))
    await eventually(lambda: relay.engine.counters["rtx_probe"] == 1)
    repaired = next(p for p in ben.seen(index) if b"by rtx" in p.payload)
    assert {repaired.sequence - 1 & 0xFFFF, repaired.sequence + 1 & 0xFFFF} <= {p.sequence for p in ben.seen(index)}
    assert repaired.payload_type == VIDEO_PT


@KINDS
async def test_a_receivers_nack_is_answered_from_the_cache(relay, trio, kind):
    ann, ben, _ = trio
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    mid = ben.slot_mid(index, kind)
    ssrc = next(s for s, m in ben._mid_of.items() if m == mid)
    wanted = ben.seen(index, kind)[-1].sequence
    hits = relay.engine.counters["nack_hit"]
    ben.send_rtcp(rtcp.nack(ssrc, [wanted]))
    await eventually(lambda: relay.engine.counters["nack_hit"] == hits + 1)
    # The identical SRTP packet: a receiver that has it already drops it as a replay.
    await eventually(lambda: ben.rtcp["rejected"] == 1)
    assert not ann.nacked


async def test_reports_of_a_sender_arrive_with_the_slots_own_time(relay, trio):
    _ann, ben, _ = trio
    await eventually(lambda: len(ben.sender_reports) >= 2)
    ssrcs = {report.ssrc for report in ben.sender_reports}
    assert ssrcs <= set(ben._mid_of)
    report = ben.sender_reports[-1]
    packets = ben.by_mid[ben._mid_of[report.ssrc]]
    nearest = min(abs((p.timestamp - report.timestamp + 2**31) % 2**32 - 2**31) for p in packets)
    assert nearest <= 90000 * 0.1


async def test_a_publisher_hears_how_its_own_packets_arrive_and_of_sound_how_they_fare_beyond(relay, trio):
    ann, ben, cam = trio
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    sound, picture = (
        next(s for s, mid in ben._mid_of.items() if mid == ben.slot_mid(index, kind)) for kind in ("audio", "video")
    )
    half, nothing = 128 << 24, 0
    ben.send_rtcp(rtcp.receiver_report([rtcp.ReportBlock(s, half, 1, 3, 4, 5) for s in (sound, picture)]))
    ann.reports.clear()

    def last(stream) -> rtcp.ReportBlock:
        return next(block for block in reversed(ann.reports) if block.ssrc == stream.ssrc)

    await eventually(lambda: len(ann.reports) >= 6)
    assert last(ann.microphone).loss >> 24 == 128
    assert last(ann.camera).loss == nothing
    assert 0 <= ann.camera.sequence - last(ann.camera).highest & 0xFFFF < 100
    assert last(ann.camera).last_sr
    for _ in range(3):
        ann.publish(ann.camera, skip=1)
    await eventually(lambda: last(ann.camera).loss & 0xFFFFFF == 3)
    assert not any(block.loss for block in cam.reports)


async def test_what_the_publishers_line_lost_is_not_blamed_on_the_receivers(relay, trio):
    ann, ben, _ = trio
    line = relay.engine.roster.by_address[ben.transport.get_extra_info("sockname")].line
    index = next(i for i, who in relay.view("ben").slots.items() if who == "ann")
    ssrc = next(s for s, mid in ben._mid_of.items() if mid == ben.slot_mid(index, "video"))
    reports = [rtcp.receiver_report([rtcp.ReportBlock(ssrc, 40 << 24, 1, 3, 4, 5)])] * 2
    before = line.limit
    await eventually(lambda: any(b.ssrc == ann.camera.ssrc for b in ann.reports))  # from then on losses are counted
    for _ in range(20):
        ann.publish(ann.camera, skip=2)
    await eventually(lambda: any(b.ssrc == ann.camera.ssrc and b.loss >> 24 > 40 for b in ann.reports))
    for report in reports:
        ben.send_rtcp(report)
    await asyncio.sleep(0.1)
    assert line.limit == before


async def test_a_report_counts_on_over_a_wrap():
    track = Track("camera", "video", VIDEO_PT, {})
    reception, highest = Reception(), []
    for sequence in (65530, 65534, 3, 9):
        track.ssrc, track.packets = 1, track.packets + 1
        track.lost_before(sequence)
        highest.append(reception.report(track, 0, 0.0).highest)
    assert highest == [65530, 65534, 0x10003, 0x10009]


async def test_the_relay_vouches_for_a_start(relay, trio):
    for person in trio:
        await eventually(lambda p=person: p.rembs)
        assert person.rembs[-1] == pytest.approx(BOOT_BITRATE, rel=0.05)


async def test_streams_without_announced_ssrcs_are_found_by_their_mid(relay):
    ann, ben = Participant("ann"), Participant("ben")
    offer = ann.offer
    ann.offer = lambda: "".join(line + "\r\n" for line in offer().splitlines() if not line.startswith("a=ssrc"))
    await relay.enter(ann, ben)
    await ben.sees("ann", 0, "video")
    await ben.sees("ann", 0, "audio")


async def test_rooms_do_not_hear_each_other(relay):
    ann, ben, eve = Participant("ann"), Participant("ben"), Participant("eve")
    await relay.enter(ann, ben)
    await relay.enter(eve, room="elsewhere")
    await ben.sees("ann", 0)
    await asyncio.sleep(0.3)
    assert not any(eve.by_mid.values())


@pytest.mark.parametrize("behind", [0, 1, 20, 100, 127])
async def test_a_slot_numbers_pictures_on_when_another_copy_or_another_person_comes(relay, behind):
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await eventually(lambda: len(ben.seen(0)) > 20)
    # A reload: the new page counts from a number of its own.
    again = Participant("ann")
    again.camera.picture, again.camera.base = ann.camera.picture - behind & 0x7FFF, ann.camera.base - behind & 0xFF
    await relay.enter(again, epoch=2)
    await eventually(lambda: len(ben.seen(0)) > 60)
    relay.engine.leave("room", "ann", 2)
    cam = Participant("cam")
    cam.camera.base = again.camera.base - behind & 0xFF
    await relay.enter(cam)
    await eventually(lambda: len(ben.seen(0)) > 100)

    assert len({p.sender for p in ben.seen(0)}) == 2
    assert numbered_on(ben.seen(0))
