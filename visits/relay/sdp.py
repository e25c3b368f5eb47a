"""The browser's offer, read; the relay's answer, written. No I/O.

One negotiation for the whole visit: the offer carries the peer's own microphone, camera and
screen (sendonly) and a fixed number of receive slots (recvonly). The reader is linear and
raises nothing but ValueError; nothing of the offer is echoed unchecked. RFC 8866 (SDP),
RFC 9429 (JSEP), RFC 9143 (BUNDLE), RFC 8839 (ICE), RFC 8842 (DTLS).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from visits.relay.rtp import KEPT_EXTENSIONS, RID, TRANSPORT_SEQUENCE, UPWARD_EXTENSIONS

MAX_BYTES = 64 * 1024
MAX_MEDIA = 32
MAX_SLOTS = 5  # other people in a room of six
MAX_LAYERS = 3  # encodings of one picture
TOKEN = re.compile(r"[A-Za-z0-9._+-]{1,16}")  # what we accept as a mid
CODECS = {"audio": "opus/48000/2", "video": "vp8/90000"}
FORMAT_PARAMETERS = {"audio": "minptime=10;useinbandfec=1"}
FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
UPWARD_FEEDBACK = (*FEEDBACK, "transport-cc")
# In kbit/s. libwebrtc begins with 300 by itself, makes the picture small to fit, and takes its time to make it large
# again, on the widest line. Firefox does not know the word.
UPWARD_PARAMETERS = "x-google-start-bitrate=1000"
REVERSED = {"sendonly": "recvonly", "sendrecv": "recvonly", "recvonly": "sendonly"}


@dataclass(slots=True)
class Media:
    """One m-section: what the peer offers to send or to receive. `codec` is a payload type."""

    kind: str
    mid: str = ""
    direction: str = "sendrecv"
    codec: int | None = None
    rtx: int | None = None
    reduced_rtcp: bool = False
    nack: bool = False  # whether lost packets of the codec can be asked for
    extensions: dict[str, int] = field(default_factory=dict)  # URI to id
    one_way: set[str] = field(default_factory=set)  # URIs of those offered as sendonly
    ssrcs: list[int] = field(default_factory=list)
    rtx_pairs: dict[int, int] = field(default_factory=dict)  # media SSRC to RTX SSRC
    layers: list[str] = field(default_factory=list)  # rids of a simulcast, the largest picture first
    paused: set[str] = field(default_factory=set)  # those of them that are not sent at first

    @property
    def sends(self) -> bool:
        """Whether the peer publishes here."""
        return self.direction != "recvonly"

    @property
    def usable(self) -> bool:
        """Whether the relay can serve this m-section."""
        return bool(self.mid) and self.codec is not None and self.direction in REVERSED


@dataclass(slots=True)
class Offer:
    """The m-sections in their order, and the fingerprints (algorithm, value) of the peer."""

    media: list[Media]
    fingerprints: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What each m-section is for. Slot i is the pair (audio, video), either may be missing."""

    microphone: Media | None
    camera: Media | None
    screen: Media | None
    slots: tuple[tuple[Media | None, Media | None], ...]
    screen_slot: Media | None


@dataclass(frozen=True, slots=True)
class Transport:
    """Where and as whom the relay answers: one address for all of its peers."""

    host: str
    port: int
    ufrag: str
    password: str
    fingerprint: str  # SHA-256


@dataclass(frozen=True, slots=True)
class Announced:
    """The streams of one receive slot, named before any packet of theirs (RFC 5576)."""

    stream: str
    ssrc: int
    rtx_ssrc: int | None


def parse_offer(text: str) -> Offer:
    """Read an offer. ValueError if it is no offer that the relay can answer."""
    if len(text.encode()) > MAX_BYTES:
        raise ValueError("offer is too long")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != "v=0":
        raise ValueError("offer does not start with v=0")
    session: list[str] = []
    sections: list[list[str]] = []
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        (sections[-1] if sections else session).append(line)
    if not 1 <= len(sections) <= MAX_MEDIA:
        raise ValueError("number of m-sections")
    fingerprints = list(dict.fromkeys(_fingerprints(lines)))
    if not 1 <= len(fingerprints) <= 4:
        raise ValueError("number of fingerprints")
    if "a=setup:active" in lines:
        raise ValueError("the peer must be able to be the DTLS server")
    media = [_parse_media(section) for section in sections]
    mids = [m.mid for m in media]
    if len(set(mids)) != len(mids):
        raise ValueError("mids are missing or repeated")
    return Offer(media, fingerprints)


def _fingerprints(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        if line.startswith("a=fingerprint:"):
            algorithm, _, value = line.removeprefix("a=fingerprint:").strip().partition(" ")
            yield algorithm.lower(), value.upper()


def _parse_media(lines: Sequence[str]) -> Media:
    kind, _, rest = lines[0].removeprefix("m=").partition(" ")
    media = Media(kind)
    formats = rest.split()[2:]
    names: dict[str, str] = {}
    asked: set[str] = set()  # payload types with NACK
    apt: dict[str, str] = {}  # RTX payload type to the payload type that it repairs
    for line in lines[1:]:
        name, _, value = line.removeprefix("a=").strip().partition(":")
        if name == "rtpmap":
            number, _, codec = value.partition(" ")
            names[number] = codec.lower()
        elif name == "fmtp" and " apt=" in value:
            number, _, target = value.partition(" apt=")
            apt[number] = target
        elif name == "rtcp-fb" and value.endswith(" nack"):
            asked.add(value.partition(" ")[0])
        else:
            _read_attribute(media, name, value)
    _choose_codec(media, formats, names, apt)
    media.nack = str(media.codec) in asked
    _settle(media)
    return media


def _settle(media: Media) -> None:
    """Drop what makes no sense in this direction, or without the rest of it."""
    if not media.sends or media.kind != "video":
        media.extensions = {uri: number for uri, number in media.extensions.items() if uri not in UPWARD_EXTENSIONS}
    if RID not in media.extensions or len(media.layers) < 2:
        media.layers = []


def _read_attribute(media: Media, name: str, value: str) -> None:
    match name:
        case "sendonly" | "recvonly" | "sendrecv" | "inactive":
            media.direction = name
        case "mid":
            if not TOKEN.fullmatch(value):
                raise ValueError("mid")
            media.mid = value
        case "rtcp-rsize":
            media.reduced_rtcp = True
        case "extmap":
            _read_extension(media, value)
        case "ssrc":
            _read_ssrc(media, value)
        case "simulcast":
            _read_simulcast(media, value)
        case "ssrc-group" if value.startswith("FID "):
            pair = [_number(x, 32) for x in value.split()[1:]]
            if len(pair) == 2:
                media.rtx_pairs[pair[0]] = pair[1]


def _read_extension(media: Media, value: str) -> None:
    number, _, uri = value.partition(" ")
    if uri in UPWARD_EXTENSIONS and number.endswith("/sendonly"):  # as Firefox writes those that name layers
        number = number.removesuffix("/sendonly")
        media.one_way.add(uri)
    # Any other id with a direction suffix is not worth mirroring: none of ours has it.
    if uri in KEPT_EXTENSIONS | UPWARD_EXTENSIONS and number.isascii() and number.isdigit() and 1 <= int(number) <= 14:
        media.extensions[uri] = int(number)


def _read_ssrc(media: Media, value: str) -> None:
    ssrc = _number(value.partition(" ")[0], 32)
    if len(media.ssrcs) < 8 and ssrc not in media.ssrcs:
        media.ssrcs.append(ssrc)


def _read_simulcast(media: Media, value: str) -> None:
    """RFC 8853: ``send f;h;q``, the preferred first, which we take to be the largest.

    An encoding may have alternatives (``,``) and begin paused (``~``).
    """
    words = value.split()
    if words[:1] != ["send"] or len(words) < 2:
        return
    choices = [choice.partition(",")[0] for choice in words[1].split(";")][: MAX_LAYERS + 1]
    layers = [choice.removeprefix("~") for choice in choices]
    if all(TOKEN.fullmatch(rid) for rid in layers) and len(set(layers)) == len(layers):
        media.layers = layers[:MAX_LAYERS]
        media.paused = {choice[1:] for choice in choices if choice.startswith("~")}


def _choose_codec(media: Media, formats: Sequence[str], names: dict[str, str], apt: dict[str, str]) -> None:
    wanted = CODECS.get(media.kind)
    chosen = next((x for x in formats if wanted and names.get(x) == wanted), None)
    if chosen is None:
        return
    media.codec = _number(chosen, 7)
    repair = next((x for x in formats if names.get(x) == "rtx/90000" and apt.get(x) == chosen), None)
    media.rtx = _number(repair, 7) if repair is not None else None


def _number(text: str, bits: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << bits):
        raise ValueError("number out of range")
    return int(text)


def lay_out(offer: Offer) -> Layout:
    """Decide by kind, direction and order which m-section serves what.

    Video slots beyond the audio slots' number are for the screen. Whatever is offered in
    excess stays unused, so a peer with fewer m-sections is served with what it has.
    """
    sends = [m for m in offer.media if m.usable and m.sends]
    receives = [m for m in offer.media if m.usable and not m.sends]
    microphones = [m for m in sends if m.kind == "audio"]
    cameras = [m for m in sends if m.kind == "video"]
    audio = [m for m in receives if m.kind == "audio"][:MAX_SLOTS]
    video = [m for m in receives if m.kind == "video"]
    people = len(audio) or min(len(video), MAX_SLOTS)
    pairs = tuple((audio[i] if i < len(audio) else None, video[i] if i < len(video) else None) for i in range(people))
    return Layout(
        microphone=microphones[0] if microphones else None,
        camera=cameras[0] if cameras else None,
        screen=cameras[1] if len(cameras) > 1 else None,
        slots=pairs,
        screen_slot=video[people] if len(video) > people else None,
    )


def build_answer(offer: Offer, used: set[str], announced: dict[str, Announced], transport: Transport) -> str:
    """The answer: `used` names the m-sections that are served, `announced` their slot streams."""
    mids = " ".join(m.mid for m in offer.media if m.mid in used)
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {transport.host}",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {mids}",
        "a=msid-semantic: WMS *",
    ]
    for media in offer.media:
        if media.mid in used:
            lines += _accepted(media, announced.get(media.mid), transport)
        else:
            lines += _rejected(media)
    return "\r\n".join(lines) + "\r\n"


def _rejected(media: Media) -> list[str]:
    if media.kind in CODECS:
        first = f"m={media.kind} 0 UDP/TLS/RTP/SAVPF 0"
    else:
        first = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    lines = [first, "c=IN IP4 0.0.0.0", "a=inactive"]
    return lines + ([f"a=mid:{media.mid}"] if media.mid else [])


def _accepted(media: Media, announced: Announced | None, transport: Transport) -> list[str]:
    pt, rtx = media.codec, media.rtx
    formats = f"{pt} {rtx}" if rtx is not None else f"{pt}"
    codec = CODECS[media.kind].replace("vp8", "VP8")
    lines = [
        f"m={media.kind} {transport.port} UDP/TLS/RTP/SAVPF {formats}",
        f"c=IN IP4 {transport.host}",
        # Transport lines in every m-section: Firefox does not survive a bundled m-section
        # without a fingerprint.
        f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.password}",
        f"a=fingerprint:sha-256 {transport.fingerprint}",
        # DTLS client: as a DTLS server the relay makes Firefox wait some 0.4 s.
        "a=setup:active",
        f"a=candidate:1 1 udp 2130706431 {transport.host} {transport.port} typ host",
        "a=end-of-candidates",
        f"a=mid:{media.mid}",
        f"a={REVERSED[media.direction]}",
        "a=rtcp-mux",
        f"a=rtpmap:{pt} {codec}",
    ]
    if media.reduced_rtcp:
        lines.append("a=rtcp-rsize")
    if media.kind in FORMAT_PARAMETERS:
        lines.append(f"a=fmtp:{pt} {FORMAT_PARAMETERS[media.kind]}")
    if media.kind == "video":
        if media.sends:
            lines.append(f"a=fmtp:{pt} {UPWARD_PARAMETERS}")
        feedback = UPWARD_FEEDBACK if TRANSPORT_SEQUENCE in media.extensions else FEEDBACK
        lines += [f"a=rtcp-fb:{pt} {each}" for each in feedback]
    elif media.nack:
        lines.append(f"a=rtcp-fb:{pt} nack")
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={pt}"]
    for uri, number in media.extensions.items():
        lines.append(f"a=extmap:{number}{'/recvonly' if uri in media.one_way else ''} {uri}")
    if media.layers:
        lines += [f"a=rid:{rid} recv" for rid in media.layers]
        # A paused layer that the answer does not pause would be taken for wanted at once.
        layers = ["~" * (rid in media.paused) + rid for rid in media.layers]
        lines.append(f"a=simulcast:recv {';'.join(layers)}")
    return lines + (_announce(media, announced) if announced else [])


def _announce(media: Media, announced: Announced) -> list[str]:
    # One stream (msid) and one cname per slot keep its sound and picture in step.
    stream, ssrc, rtx = announced.stream, announced.ssrc, announced.rtx_ssrc
    lines = [f"a=msid:{stream} {stream}-{media.kind}"]
    if rtx is not None:
        lines.append(f"a=ssrc-group:FID {ssrc} {rtx}")
    return lines + [f"a=ssrc:{x} cname:{stream}" for x in (ssrc, rtx) if x is not None]
