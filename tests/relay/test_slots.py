"""One slot, many publishers, one continuous stream."""

import random
from itertools import pairwise

import pytest

from visits.relay import rtp
from visits.relay.resend import KEPT, RESEND_PAUSE
from visits.relay.slots import Slot
from visits.relay.tracks import KEYFRAME_INTERVAL, Track


def video_slot() -> Slot:
    return Slot("video", "8", 77, 78, 96, {rtp.ABS_SEND_TIME: 2, rtp.MID: 4})


def camera(ssrc: int = 1) -> Track:
    track = Track("camera", "video", 120, {rtp.ABS_SEND_TIME: 5, rtp.MID: 3})
    track.ssrc = ssrc
    return track


def run(slot, track, start, count, *, at=0.0, keyframe_at=0, timestamp=1000):
    """Place `count` packets of one frame each, 20 ms apart; what came out."""
    out = []
    for n in range(count):
        placed = slot.place(
            track, start + n & 0xFFFF, timestamp + 1800 * n & 0xFFFFFFFF, n == keyframe_at, at + n * 0.02
        )
        if placed:
            out.append(placed)
    return out


def test_numbering_is_continuous_over_many_switches():
    chance = random.Random(1)
    slot, now, numbers, stamps = video_slot(), 0.0, [], []
    for ssrc in range(30):
        track = camera(ssrc + 1)
        slot.assign(track)
        placed = run(
            slot,
            track,
            chance.randrange(65536),
            40,
            at=now,
            timestamp=chance.randrange(1 << 32),
            keyframe_at=chance.randrange(5),
        )
        now += 1.0
        numbers += [p.sequence for p in placed]
        stamps += [p.timestamp for p in placed]
    assert [(b - a) & 0xFFFF for a, b in pairwise(numbers)] == [1] * (len(numbers) - 1)
    assert all(0 < (b - a) & 0xFFFFFFFF < 2 * 90000 for a, b in pairwise(stamps))


def test_the_old_picture_runs_until_the_new_ones_keyframe():
    slot, old, new = video_slot(), camera(1), camera(2)
    slot.assign(old)
    run(slot, old, 10, 5)
    slot.assign(new)
    assert slot.hungry
    assert slot.place(new, 500, 0, False, 0.2) is None
    assert slot.place(old, 15, 0, False, 0.2) is not None
    assert slot.place(new, 501, 0, True, 0.22).first
    assert slot.place(old, 16, 0, False, 0.24) is None
    assert old.outputs == []
    assert not slot.hungry


def test_sound_switches_with_the_next_packet():
    slot = Slot("audio", "3", 77, None, 111, {})
    one, two = Track("microphone", "audio", 111, {}), Track("microphone", "audio", 111, {})
    slot.assign(one)
    first = slot.place(one, 65535, 0, False, 0.0)
    second = slot.place(one, 0, 960, False, 0.02)
    slot.assign(two)
    third = slot.place(two, 9000, 77, False, 0.04)
    assert third.first
    assert [(second.sequence - first.sequence) & 0xFFFF, (third.sequence - second.sequence) & 0xFFFF] == [1, 1]
    assert (third.timestamp - second.timestamp) & 0xFFFFFFFF == pytest.approx(960, abs=1)


def test_a_repaired_packet_still_passes_after_hours():
    slot, track = video_slot(), camera()
    slot.assign(track)
    for n in range(200_000):
        slot.place(track, n & 0xFFFF, n, n == 0, n * 0.005)
        if n > 50 and n % 997 == 0:
            assert slot.place(track, n - 20 & 0xFFFF, n, False, n * 0.005) is not None


def test_a_late_packet_from_before_the_switch_is_dropped():
    slot, one, two = video_slot(), camera(1), camera(2)
    slot.assign(one)
    run(slot, one, 100, 50)
    slot.assign(two)
    first = slot.place(two, 1000, 0, True, 2.0)
    assert slot.place(two, 999, 0, False, 2.0) is None
    assert slot.place(two, 1001, 0, False, 2.0).sequence == first.sequence + 1 & 0xFFFF


def test_a_packet_whose_retransmission_came_first_is_not_sent_again_under_its_number():
    slot, track = video_slot(), camera()
    slot.assign(track)
    for placed in run(slot, track, 65530, 12):
        slot.sent.keep(placed.sequence, b"sent")
    assert slot.place(track, 65535, 0, False, 1.0) is None
    slot.place(track, 8, 0, False, 1.0)  # 6 and 7 are missing
    late = slot.place(track, 7, 0, False, 1.0)
    slot.sent.keep(late.sequence, b"sent")
    assert slot.place(track, 7, 0, False, 1.0) is None
    assert slot.place(track, 6, 0, False, 1.0) is not None


def test_a_gap_can_be_filled_when_the_packets_before_cannot_be_read_any_more():
    class Overwritten:
        def read(self, reference: int) -> None:
            return None

    slot, track = video_slot(), camera()
    slot.assign(track)
    references = slot.sent.lie_in(Overwritten())
    for placed in run(slot, track, 65000, 2 * KEPT):
        references[placed.sequence % KEPT] = 7
    assert slot.place(track, 65000 + 2 * KEPT - 1 & 0xFFFF, 0, False, 1.0) is None
    slot.place(track, 65000 + 2 * KEPT + 2 & 0xFFFF, 0, False, 1.0)  # two are missing
    assert slot.place(track, 65000 + 2 * KEPT & 0xFFFF, 0, False, 1.0) is not None
    assert slot.place(track, 65000 + 2 * KEPT + 1 & 0xFFFF, 0, False, 1.0) is not None


def test_a_publisher_that_starts_over_waits_for_its_keyframe():
    slot, track = video_slot(), camera()
    slot.assign(track)
    before = run(slot, track, 10, 5)[-1]
    track.restarted()
    assert slot.place(track, 40000, 5, False, 1.0) is None
    assert slot.place(track, 40001, 6, True, 1.0).sequence == before.sequence + 1 & 0xFFFF


def test_a_gone_publisher_leaves_the_slot_and_its_numbers():
    slot, track = video_slot(), camera()
    slot.assign(track)
    before = run(slot, track, 10, 5)[-1]
    slot.drop(track)
    assert slot.target is None
    assert track.outputs == []
    new = camera(2)
    slot.assign(new)
    assert run(slot, new, 900, 1, at=9.0)[0].sequence == before.sequence + 1 & 0xFFFF


def test_extension_ids_become_the_receivers_and_the_publishers_mid_is_dropped():
    slot, track = video_slot(), camera()
    slot.assign(track)
    run(slot, track, 0, 1)
    assert slot.extension_ids == {5: 2}


def test_the_cache_gives_the_identical_packet_once_in_a_while():
    slot = video_slot()
    slot.sent.keep(7, b"seven")
    assert slot.sent.again(7, 0.0) == b"seven"
    assert slot.sent.again(7, RESEND_PAUSE / 2) == b""
    assert slot.sent.again(7, RESEND_PAUSE * 2) == b"seven"
    assert slot.sent.again(7 + KEPT, 1.0) is None


def test_keyframe_requests_are_limited_and_not_forgotten():
    track = camera()
    assert track.may_ask(0.0)
    assert not track.may_ask(KEYFRAME_INTERVAL / 2)
    assert track.keyframe_wanted
    assert track.may_ask(KEYFRAME_INTERVAL * 1.1)


def test_a_gap_is_named_once_and_a_large_one_not_at_all():
    track = camera()
    assert track.lost_before(65533) == []
    assert track.lost_before(1) == [65534, 65535, 0]
    assert track.lost_before(0) == []
    assert track.lost_before(500) == []
