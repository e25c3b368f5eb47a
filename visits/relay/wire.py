"""What goes through Redis between web and relay: key names, events and answers as JSON. No I/O.

Keys: ``relay:pulses`` (set of node ids) and ``relay:pulse:<node>`` (what a node said last; how much of its
life is over is its age, by the clock of Redis), ``relay:commands:<node>`` (list of command ids),
``relay:command:<id>`` (the command; expires when nobody waits for it any more), ``relay:reply:<id>``
(list), ``relay:events:<room>`` (channel). Nothing here must last: which node has a room is in the web side's database.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, NoReturn, cast

NODES = "relay:pulses"
HEARTBEAT = 0.3  # seconds between two pulses of a node
PULSE_LIFE = 60_000  # milliseconds that the last one is kept
DEAD_AFTER = 1.5  # seconds without a pulse
REPLY_LIFE = 30  # seconds
STOPPING = "stopping"  # error code: this node takes nothing more


def node_key(node: str) -> str:
    return f"relay:pulse:{node}"


def age(left: int) -> float:
    """Seconds since the pulse that has `left` milliseconds to live."""
    return (PULSE_LIFE - left) / 1000


def commands_key(node: str) -> str:
    return f"relay:commands:{node}"


def command_key(identifier: str) -> str:
    return f"relay:command:{identifier}"


def reply_key(identifier: str) -> str:
    return f"relay:reply:{identifier}"


def events_channel(room: str) -> str:
    return f"relay:events:{room}"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a node says of itself. `load` is what nodes are chosen by: 1 is as much as it can carry."""

    address: str
    rooms: int
    peers: int
    capacity: int  # peers
    cpu: float  # cores
    bitrate: int  # bit/s of media sent
    load: float
    full: str = ""  # "rooms": takes no new ones; "peers": nor anybody new
    gone: bool = False  # it has said goodbye
    age: float = 0.0  # seconds
    facts: dict[str, Any] = field(default_factory=dict)  # for the operator

    @property
    def is_late(self) -> bool:
        """Whether the next one should have come long ago."""
        return self.age > 2 * HEARTBEAT

    @property
    def is_dead(self) -> bool:
        return self.gone or self.age > DEAD_AFTER

    def to_text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str, age: float) -> Pulse:
        """Read it. ValueError if it is none."""
        match read_json(text):
            case {
                "address": str(address), "rooms": int(rooms), "peers": int(peers), "capacity": int(capacity),
                "cpu": int() | float() as cpu, "bitrate": int(bitrate), "load": int() | float() as load,
                "full": str(full), "gone": bool(gone), "facts": dict(facts),
            }:  # fmt: skip
                return cls(address, rooms, peers, capacity, cpu, bitrate, load, full, gone, age, facts)
        raise ValueError("not a pulse")


@dataclass(frozen=True, slots=True)
class SlotMids:
    """The m-sections of one receive slot; either may be missing."""

    index: int
    audio_mid: str | None
    video_mid: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The relay's answer to a join: SDP, receive slots, and what the joiner sees now."""

    sdp: str
    slots: list[SlotMids]
    screen_mid: str | None
    view: dict[int, str]  # slot index to peer
    screen: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Joined:
        return cls(
            sdp=data["sdp"],
            slots=[SlotMids(**slot) for slot in data["slots"]],
            screen_mid=data["screen_mid"],
            view={int(index): peer for index, peer in data["view"].items()},
            screen=data["screen"],
        )


class StreamFigures(NamedTuple):
    """How one stream went in the last second. `receiver` is None for the way from its publisher to the relay.

    `bitrate` counts payload, in bit/s; `loss` goes from 0 to 1; `jitter` and `round_trip` are seconds,
    and known only where the receiver reports them.
    """

    sender: str
    receiver: str | None
    role: str  # "microphone", "camera" or "screen"
    bitrate: int
    loss: float | None
    jitter: float | None
    round_trip: float | None

    @classmethod
    def read(cls, data: object) -> StreamFigures:
        """From JSON. ValueError if it is none."""
        match data:
            case [str(), str() | None, str(), int(bitrate), *rest] if len(rest) == 3 and 0 <= bitrate < 1e12:
                if all(value is None or (isinstance(value, int | float) and 0 <= value < 1e6) for value in rest):
                    return cls(*cast(Any, data))
        raise ValueError("not the figures of a stream")


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something that happened to copy `epoch` of `peer`.

    ``connected``: its media can flow. ``away``: silent for some seconds; ``back``: heard again.
    ``gone``: left, vanished, or never came through; a copy that a newer one evicts is not
    announced. ``view``: what it sees from now on, `slots` (index to peer) and `screen`; where a picture is
    less than it could be for the receiver's line's sake, `steps` says "low" or "paused" (by index, the screen's
    comes after the last slot), and `watched` who sees its own pictures so (peer to step). ``stats``
    is about the whole room and has `streams` only.
    """

    kind: str
    peer: str
    epoch: int
    slots: dict[int, str] = field(default_factory=dict)
    screen: str | None = None
    streams: list[StreamFigures] = field(default_factory=list)
    steps: dict[int, str] = field(default_factory=dict)
    watched: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        # Not asdict, which copies each figure before it is written: this is done once a second for every room.
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> RoomEvent:
        """Read it. ValueError if it is none."""
        match read_json(text):
            case {
                "kind": str(kind), "peer": str(peer), "epoch": int(epoch), "slots": dict(slots),
                "screen": str() | None as screen, "streams": list(streams), "steps": dict(steps),
                "watched": dict(watched),
            }:  # fmt: skip
                figures = [StreamFigures.read(one) for one in streams]
                return cls(kind, peer, epoch, _by_index(slots), screen, figures, _by_index(steps), _texts(watched))
        raise ValueError("not a room event")


def read_json(text: str) -> Any:
    """The JSON in `text`. ValueError whatever is wrong with it."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("JSON is too deep") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _texts(data: dict[Any, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in data.values()):
        raise ValueError("not text")
    return data


def _by_index(data: dict[Any, Any]) -> dict[int, str]:
    return {int(index): value for index, value in _texts(data).items()}
