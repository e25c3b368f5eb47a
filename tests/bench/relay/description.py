"""Session descriptions, as far as peers and servers of the bench write and read them."""

from __future__ import annotations

from dataclasses import dataclass, field

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
EXTENSIONS = {
    "audio": {AUDIO_LEVEL: 1, ABS_SEND_TIME: 2, TRANSPORT_SEQUENCE: 3, MID: 4},
    "video": {ABS_SEND_TIME: 2, TRANSPORT_SEQUENCE: 3, MID: 4},
}
PAYLOAD_TYPES = {"audio": 111, "video": 96}
RTX = 97
CODECS = {"audio": "opus/48000/2", "video": "VP8/90000"}
FEEDBACK = ("goog-remb", "transport-cc", "nack", "nack pli", "ccm fir")


@dataclass
class Media:
    """One m-section. `payload_type` is that of Opus or VP8."""

    kind: str
    mid: str
    direction: str
    payload_type: int
    extensions: dict[str, int] = field(default_factory=dict)
    ssrc: int | None = None

    @classmethod
    def offered(cls, kind: str, mid: int, direction: str) -> Media:
        """As a browser offers it."""
        return cls(kind, str(mid), direction, PAYLOAD_TYPES[kind], dict(EXTENSIONS[kind]))


@dataclass(frozen=True)
class Transport:
    """One side of a connection: its ICE credentials, SHA-256 fingerprint and address."""

    ufrag: str
    password: str
    fingerprint: str
    address: tuple[str, int]


def write(transport: Transport, sections: list[Media], setup: str) -> str:
    """A description with everything bundled on one transport."""
    host, port = transport.address
    lines = ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(media.mid for media in sections))
    for media in sections:
        lines += [
            f"m={media.kind} {port} UDP/TLS/RTP/SAVPF {_formats(media)}", f"c=IN IP4 {host}",
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
            f"a=ice-ufrag:{transport.ufrag}", f"a=ice-pwd:{transport.password}",
            f"a=fingerprint:sha-256 {transport.fingerprint}", f"a=setup:{setup}",
            f"a=mid:{media.mid}", f"a={media.direction}", "a=rtcp-mux", "a=rtcp-rsize",
            f"a=rtpmap:{media.payload_type} {CODECS[media.kind]}",
        ]  # fmt: skip
        if media.kind == "audio":
            lines.append(f"a=rtcp-fb:{media.payload_type} transport-cc")
        else:
            lines += [f"a=rtcp-fb:{media.payload_type} {feedback}" for feedback in FEEDBACK]
            lines += [f"a=rtpmap:{RTX} rtx/90000", f"a=fmtp:{RTX} apt={media.payload_type}"]
        lines += [f"a=extmap:{number} {uri}" for uri, number in media.extensions.items()]
        if media.ssrc is not None:
            lines += [f"a=msid:load {transport.ufrag}{media.mid}", f"a=ssrc:{media.ssrc} cname:load"]
    return "\r\n".join(lines) + "\r\n"


def _formats(media: Media) -> str:
    return f"{media.payload_type} {RTX}" if media.kind == "video" else f"{media.payload_type}"


def read(sdp: str) -> tuple[Transport, list[Media]]:
    """Of a description with its candidates in it: the first IPv4 host candidate for UDP counts."""
    found: dict[str, str] = {}
    candidates, sections = [], []
    for line in sdp.splitlines():
        name, _, value = line.partition(":")
        if line.startswith("m="):
            sections.append(Media(line[2:].split()[0], "", "sendrecv", -1))
        elif name == "a=candidate":
            candidates.append(value.split())
        elif name == "a=mid":
            sections[-1].mid = value
        elif name == "a=extmap":
            number, uri = value.split()[:2]
            sections[-1].extensions[uri] = int(number)
        elif name == "a=rtpmap" and value.partition(" ")[2].lower() == CODECS.get(sections[-1].kind, "").lower():
            sections[-1].payload_type = int(value.partition(" ")[0])
        elif line in ("a=sendonly", "a=recvonly", "a=inactive"):
            sections[-1].direction = line[2:]
        found.setdefault(name, value)
    host, port = next((x[4], x[5]) for x in candidates if x[2].lower() == "udp" and "." in x[4])
    fingerprint = found["a=fingerprint"].split()[1]
    return Transport(found["a=ice-ufrag"], found["a=ice-pwd"], fingerprint, (host, int(port))), sections
