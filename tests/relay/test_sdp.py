"""The offer read, the answer written."""

import random
import re

import pytest

from tests.relay.offers import CHROMIUM, FINGERPRINT, FIREFOX, SAFARI, full_offer
from visits.relay import rtp, sdp
from visits.relay.peer import Peer

BROWSERS = pytest.mark.parametrize(
    ("browser", "audio", "video", "rtx"),
    [(CHROMIUM, 111, 96, 97), (FIREFOX, 109, 120, 124), (SAFARI, 111, 100, 101)],
    ids=["chromium", "firefox", "safari"],
)
TRANSPORT = f"a=extmap:3 {rtp.TRANSPORT_SEQUENCE}"


def answer_to(text: str) -> str:
    offer = sdp.parse_offer(text)
    return Peer("room", "peer", 1, offer, 0.0).answer(offer, "192.0.2.7", 7000, "AA:BB")


def sections(answer: str) -> list[list[str]]:
    return ["m=" + part for part in answer.split("\r\nm=")[1:]] and [
        part.split("\r\n") for part in answer.replace("\r\nm=", "\0m=").split("\0")[1:]
    ]


@BROWSERS
def test_the_fixed_sections_are_laid_out_as_the_protocol_says(browser, audio, video, rtx):
    layout = sdp.lay_out(sdp.parse_offer(full_offer(browser)))
    assert (layout.microphone.mid, layout.camera.mid, layout.screen.mid) == ("0", "1", "2")
    assert [(a.mid, v.mid) for a, v in layout.slots] == [(str(3 + i), str(8 + i)) for i in range(5)]
    assert layout.screen_slot.mid == "13"


@BROWSERS
def test_codecs_are_opus_and_vp8_under_the_browsers_numbers(browser, audio, video, rtx):
    found = sections(answer_to(full_offer(browser)))
    assert found[0][0] == f"m=audio 7000 UDP/TLS/RTP/SAVPF {audio}"
    assert found[1][0] == f"m=video 7000 UDP/TLS/RTP/SAVPF {video} {rtx}"
    assert f"a=rtpmap:{video} VP8/90000" in found[1]
    assert f"a=fmtp:{rtx} apt={video}" in found[1]
    assert "H264" not in answer_to(full_offer(browser))


@BROWSERS
def test_lost_sound_can_be_asked_for_where_the_page_offers_it(browser, audio, video, rtx):
    offer = full_offer(browser)
    assert f"a=rtcp-fb:{audio} nack" not in answer_to(offer)
    rtpmap = f"a=rtpmap:{audio} opus/48000/2"
    offer = offer.replace(rtpmap, f"{rtpmap}\r\na=rtcp-fb:{audio} nack")
    found = sections(answer_to(offer))
    assert f"a=rtcp-fb:{audio} nack" in found[0]
    assert f"a=rtcp-fb:{audio} nack" in found[3]
    assert sdp.parse_offer(offer).media[0].nack


@BROWSERS
def test_every_section_says_how_to_reach_the_relay(browser, audio, video, rtx):
    found = sections(answer_to(full_offer(browser)))
    assert len(found) == 14
    for section in found:
        assert "a=candidate:1 1 udp 2130706431 192.0.2.7 7000 typ host" in section
        assert "a=end-of-candidates" in section
        assert "a=fingerprint:sha-256 AA:BB" in section
        assert "a=setup:active" in section
        assert any(line.startswith("a=ice-pwd:") for line in section)
    assert "a=ice-lite" in answer_to(full_offer(browser)).split("m=")[0]


@BROWSERS
def test_directions_are_mirrored_and_slots_announce_their_streams(browser, audio, video, rtx):
    found = sections(answer_to(full_offer(browser)))
    assert all("a=recvonly" in section for section in found[:3])
    assert all("a=sendonly" in section for section in found[3:])
    ssrcs = [line.split()[0] for section in found[3:] for line in section if line.startswith("a=ssrc:")]
    assert len(ssrcs) == len(set(ssrcs)) == 5 + 2 * 6
    sound, picture = found[3], found[8]
    assert [x for x in sound if x.startswith("a=msid:slot0 ")]
    assert [x for x in picture if x.startswith("a=msid:slot0 ")]


@BROWSERS
def test_pictures_begin_at_a_rate_that_does_not_make_them_small(browser, audio, video, rtx):
    found = sections(answer_to(full_offer(browser)))
    asked = [any("x-google-start-bitrate" in line for line in section) for section in found]
    assert asked == [False, True, True] + [False] * (len(found) - 3)


@BROWSERS
def test_only_kept_extensions_are_answered(browser, audio, video, rtx):
    found = sections(answer_to(full_offer(browser)))
    uris = [{x.split(" ", 1)[1] for x in section if x.startswith("a=extmap:")} for section in found]
    assert all(rtp.MID in each for each in uris)
    assert all(each <= rtp.KEPT_EXTENSIONS for each in (uris[0], *uris[3:]))
    assert all(each <= rtp.KEPT_EXTENSIONS | rtp.UPWARD_EXTENSIONS for each in uris[1:3])


def test_the_uplink_is_reported_packet_by_packet_and_the_downlink_estimated_by_its_receiver():
    found = sections(
        answer_to(full_offer(CHROMIUM).replace("a=extmap:14 urn:ietf:params:rtp-hdrext:toffset", TRANSPORT))
    )
    for section in found[1:3]:
        assert {TRANSPORT, "a=rtcp-fb:96 transport-cc", "a=rtcp-fb:96 goog-remb"} <= set(section)
    for section in found[3:]:
        assert not any("transport" in line for line in section)
    assert "a=rtcp-fb:96 goog-remb" in found[8]


LAYERS = pytest.mark.parametrize(
    ("browser", "number"), [(CHROMIUM, 10), (FIREFOX, 10), (SAFARI, 10)], ids=["chromium", "firefox", "safari"]
)


def with_layers(
    browser: dict[str, list[str]], lines: str = "a=rid:f send|a=rid:h send|a=rid:q send|a=simulcast:send f;h;q"
) -> str:
    """The camera in three sizes."""
    head, camera, *rest = full_offer(browser).split("m=video ")
    camera = re.sub("a=ssrc.*\r\n", "", camera)
    if rtp.RID not in camera:
        camera += f"a=extmap:10 {rtp.RID}\r\n"
    camera += f"a=extmap:11 {rtp.REPAIRED_RID}\r\n" + lines.replace("|", "\r\n") + "\r\n"
    return "m=video ".join([head, camera, *rest])


@LAYERS
def test_a_camera_in_three_sizes_is_taken_in_three_sizes(browser, number):
    answer = answer_to(with_layers(browser))
    camera, screen = sections(answer)[1:3]
    assert {"a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv f;h;q"} <= set(camera)
    assert {f"a=extmap:{number} {rtp.RID}", f"a=extmap:11 {rtp.REPAIRED_RID}"} <= set(camera)
    assert answer.count("simulcast") == 1
    assert not any(rtp.RID in line for section in sections(answer)[3:] for line in section)
    assert screen[0].startswith("m=video 7000")


@pytest.mark.parametrize(
    ("lines", "layers"),
    [
        ("a=simulcast:send f;h;q", ["f", "h", "q"]),
        ("a=simulcast:send f,g;~h;q recv x", ["f", "h", "q"]),
        ("a=simulcast:send a;b;c;d;e", ["a", "b", "c"]),
        ("a=simulcast:recv q;h;f", []),
        ("a=simulcast:send q", []),
        ("a=simulcast:send q;q;f", []),
        ("a=simulcast:send q;<b>;f", []),
        ("a=simulcast:send ;;", []),
        ("a=simulcast:send", []),
        ("a=simulcast:" + "q;" * 9000, []),
    ],
)
def test_layers_are_read_or_left(lines, layers):
    offer = sdp.parse_offer(with_layers(CHROMIUM, lines))
    assert offer.media[1].layers == layers
    peer = Peer("room", "peer", 1, offer, 0.0)
    assert [track.rid for track in peer.layers("camera")] == (layers[::-1] or [None])


def test_extensions_that_only_go_up_are_answered_as_such():
    text = with_layers(FIREFOX).replace(f"a=extmap:10 {rtp.RID}", f"a=extmap:10/sendonly {rtp.RID}")
    camera = sections(answer_to(text))[1]
    assert f"a=extmap:10/recvonly {rtp.RID}" in camera
    assert "a=simulcast:recv f;h;q" in camera


def test_a_layer_that_is_paused_stays_so():
    assert "a=simulcast:recv f;~h;~q\r\n" in answer_to(with_layers(CHROMIUM, "a=simulcast:send f;~h;~q"))


def test_layers_that_packets_cannot_name_are_no_layers():
    text = with_layers(CHROMIUM).replace(rtp.RID, "urn:x")
    assert sdp.parse_offer(text).media[1].layers == []


def test_what_the_relay_cannot_serve_is_rejected_in_its_place():
    text = full_offer(CHROMIUM, slots=1) + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:9\r\n"
    found = sections(answer_to(text))
    assert found[-1][0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    assert "BUNDLE 0 1 2 3 4 5\r\n" in answer_to(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0",
        "hello",
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",  # no fingerprint
        full_offer(CHROMIUM).replace("a=mid:1\r", "a=mid:0\r"),
        full_offer(CHROMIUM).replace("a=mid:1\r", "a=mid:<b>\r"),
        full_offer(CHROMIUM).replace("a=setup:actpass", "a=setup:active"),
        full_offer(CHROMIUM).replace("a=ssrc:1000 ", "a=ssrc:99999999999 "),
        full_offer(CHROMIUM) + "a=x\r\n" * 20000,
        "v=0\r\n" + f"a=fingerprint:sha-256 {FINGERPRINT}\r\n" + "m=video 9 UDP 0\r\n" * 40,
    ],
)
def test_an_offer_that_cannot_be_answered_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the bare class
        sdp.parse_offer(text)


def test_mutated_offers_raise_nothing_but_value_error():
    chance = random.Random(7)
    for text in (full_offer(CHROMIUM), full_offer(FIREFOX), with_layers(CHROMIUM)):
        for _ in range(400):
            lines = text.split("\r\n")
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(lines))
                match chance.randrange(5):
                    case 0:
                        del lines[at]
                    case 1:
                        lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
                    case 2:
                        lines.insert(at, chance.choice(lines))
                    case 3:
                        lines[at] += chance.choice(["\0", " ", ":::", "²", "9" * 40, "\udcff"])
                    case 4:
                        lines[at] = lines[at].replace(":", chance.choice([": ", "", "=="]), 1)
            try:
                answer_to("\r\n".join(lines))
            except ValueError:
                continue
