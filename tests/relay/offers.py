"""Offers as the three browsers write them for our m-sections, without their candidates; the headless
participant's offer, and what it reads of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from visits.relay import rtp

AUDIO_PT, VIDEO_PT, RTX_PT = 111, 96, 97  # of the headless participant
EXTENSIONS = {
    rtp.AUDIO_LEVEL: 1, rtp.ABS_SEND_TIME: 2, rtp.TRANSPORT_SEQUENCE: 3, rtp.MID: 4, rtp.RID: 10, rtp.REPAIRED_RID: 11,
}  # fmt: skip

FINGERPRINT = ":".join(["AB"] * 32)
PREFIX = ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]

CHROMIUM = {
    "audio": [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
    ],
    "video": [
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 39 40 45 46 98 99",
        "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:13 urn:3gpp:video-orientation",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 goog-remb",
        "a=rtcp-fb:96 transport-cc",
        "a=rtcp-fb:96 nack pli",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:103 H264/90000",
        "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        "a=rtpmap:104 rtx/90000",
        "a=fmtp:104 apt=103",
    ],
}
FIREFOX = {
    "audio": [
        "m=audio 0 UDP/TLS/RTP/SAVPF 109 9 0 8 101",
        "a=bundle-only",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level",
        "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
        "a=rtcp-mux",
        "a=rtpmap:109 opus/48000/2",
        "a=rtpmap:9 G722/8000/1",
        "a=rtpmap:101 telephone-event/8000",
    ],
    "video": [
        "m=video 0 UDP/TLS/RTP/SAVPF 120 124 121 125 126 127",
        "a=bundle-only",
        "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:5 urn:ietf:params:rtp-hdrext:toffset",
        "a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        "a=fmtp:124 apt=120",
        "a=fmtp:120 max-fs=12288;max-fr=60",
        "a=rtcp-fb:120 goog-remb",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:120 VP8/90000",
        "a=rtpmap:124 rtx/90000",
        "a=rtpmap:121 VP9/90000",
        "a=rtpmap:125 rtx/90000",
        "a=fmtp:125 apt=121",
    ],
}
# H.264 first, and RTP numbers that move with it.
SAFARI = {
    "audio": CHROMIUM["audio"],
    "video": [
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 127",
        "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:13 urn:3gpp:video-orientation",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:96 H264/90000",
        "a=rtcp-fb:96 transport-cc",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:98 H264/90000",
        "a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:99 rtx/90000",
        "a=fmtp:99 apt=98",
        "a=rtpmap:100 VP8/90000",
        "a=rtcp-fb:100 goog-remb",
        "a=rtcp-fb:100 transport-cc",
        "a=rtcp-fb:100 nack pli",
        "a=rtpmap:101 rtx/90000",
        "a=fmtp:101 apt=100",
        "a=rtpmap:127 red/90000",
    ],
}


def full_offer(browser: dict[str, list[str]], slots: int = 5) -> str:
    """Microphone, camera, screen, then `slots` of each kind and one for the screen."""
    kinds = [("audio", "sendonly"), ("video", "sendonly"), ("video", "sendonly")]
    kinds += [("audio", "recvonly")] * slots + [("video", "recvonly")] * (slots + 1)
    lines = [*PREFIX, "a=group:BUNDLE " + " ".join(str(mid) for mid in range(len(kinds)))]
    for mid, (kind, direction) in enumerate(kinds):
        first, *rest = browser[kind]
        lines += [first, "c=IN IP4 0.0.0.0", *rest, f"a=mid:{mid}", f"a={direction}"]
        lines += ["a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", f"a=fingerprint:sha-256 {FINGERPRINT}"]
        lines += ["a=setup:actpass"]
        if direction == "sendonly":
            ssrc = 1000 + 10 * mid
            if kind == "video":
                lines.append(f"a=ssrc-group:FID {ssrc} {ssrc + 1}")
                lines.append(f"a=ssrc:{ssrc + 1} cname:x")
            lines.append(f"a=ssrc:{ssrc} cname:x")
    return "\r\n".join(lines) + "\r\n"


def headless_offer(
    ufrag: str, password: str, fingerprint: str, own: dict[str, int], slots: int, layers: Sequence[str] = ()
) -> str:
    """The fixed sections; `own` has the SSRC of each that sends, by mid. Of a camera in layers it is not named."""
    kinds = ["audio", "video", "video"] + ["audio"] * slots + ["video"] * (slots + 1)
    lines = [*PREFIX, "a=group:BUNDLE " + " ".join(str(mid) for mid in range(len(kinds)))]
    for mid, kind in enumerate(kinds):
        formats = f"{AUDIO_PT}" if kind == "audio" else f"{VIDEO_PT} {RTX_PT}"
        ssrc = own.get(str(mid))
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}",
            f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}", f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass", "a=rtcp-mux", "a=rtcp-rsize", "a=sendonly" if ssrc else "a=recvonly",
        ]  # fmt: skip
        lines += [f"a=extmap:{number} {uri}" for uri, number in EXTENSIONS.items()]
        if kind == "audio":
            lines += [f"a=rtpmap:{AUDIO_PT} opus/48000/2", f"a=rtcp-fb:{AUDIO_PT} nack"]
        else:
            lines += [
                f"a=rtpmap:{VIDEO_PT} VP8/90000",
                f"a=rtpmap:{RTX_PT} rtx/90000",
                f"a=fmtp:{RTX_PT} apt={VIDEO_PT}",
            ]
        if layers and mid == 1:
            lines += [*(f"a=rid:{rid} send" for rid in layers), f"a=simulcast:send {';'.join(reversed(layers))}"]
        else:
            lines += [f"a=ssrc:{ssrc} cname:headless"] if ssrc else []
    return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True)
class Answer:
    """What a page needs of the relay's answer."""

    ufrag: str
    password: str
    fingerprint: str
    address: tuple[str, int]
    mid_of: dict[int, str]  # SSRC to m-section


def read_answer(sdp: str) -> Answer:
    """Read the relay's answer."""
    found: dict[str, str] = {}
    mid, mid_of = "", {}
    for line in sdp.splitlines():
        name, _, value = line.removeprefix("a=").partition(":")
        found.setdefault(name, value)
        if name == "mid":
            mid = value
        elif name == "ssrc":
            mid_of[int(value.split()[0])] = mid
    host, port = found["candidate"].split()[4:6]
    fingerprint = found["fingerprint"].split()[1]
    return Answer(found["ice-ufrag"], found["ice-pwd"], fingerprint, (host, int(port)), mid_of)
