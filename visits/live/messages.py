"""What a client may say on a socket (PROTOCOL.md, "Rules for every message"). Pure: no Django, no I/O."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

VERSION = 2
MAX_BYTES = 64 * 1024
MAX_ID = 2**53 - 1  # the largest whole number that JavaScript counts exactly
MESSAGES_PER_SECOND, MESSAGE_BURST = 20, 40
REFUSALS_PER_SECOND, REFUSAL_BURST = 1, 30

Check = Callable[[object], bool]
Fields = Mapping[str, Check]
Schema = Mapping[str, Fields]  # message type → its fields; every field is required

WORDS = {
    "malformed": "This is not a message: a JSON object with a type and an id is expected.",
    "unknown-type": "This socket does not take messages of this type.",
    "bad-field": "A field is missing, unknown or of the wrong kind.",
    "out-of-order": "The id must be larger than the last one.",
    "too-fast": "Too many messages. Slow down.",
    "not-allowed": "Your role may not do this.",
    "not-joined": "Join first.",
    "encryption-required": "This clinic requires end-to-end encryption, and this browser cannot do it.",
    "encryption-undecided": "This browser cannot encrypt end to end. A clinician decides whether the visit goes on.",
    "not-open": "The visit has not begun for you, or is over.",
    "room-full": "All places in the visit are taken. Try again.",
    "relay-unavailable": "No media relay answered. Try again.",
    "relay-full": "Every media relay carries as much as it can. Try again.",
    "relay-refused": "The relay did not accept the offer.",
}


class Refused(Exception):
    """A message is not acted on; the client is told ``code`` (one of ``WORDS``) and ``message``."""

    def __init__(self, code: str, message: str = "", *, re: int | None = None) -> None:
        self.code, self.message, self.re = code, message or WORDS[code], re
        super().__init__(code)


@dataclass(frozen=True)
class Message:
    """One well-formed message: its type is known and each field is of the right kind."""

    type: str
    id: int
    fields: Mapping[str, Any]


def flag(value: object) -> bool:
    """A field that is true or false."""
    return isinstance(value, bool)


def off(value: object) -> bool:
    """A field that can only be false: what can be turned off and not on."""
    return value is False


def octets(most: int) -> Check:
    """A field of text that takes at most ``most`` bytes on the wire."""
    is_text = text(most)

    def check(value: object) -> bool:
        return is_text(value) and isinstance(value, str) and len(value.encode()) <= most

    return check


def optional(check: Check) -> Check:
    """A field that may also be null."""
    return lambda value: value is None or check(value)


def text(most: int) -> Check:
    """A field of at most ``most`` characters, all of which a database can store and a wire carry."""

    def check(value: object) -> bool:
        return isinstance(value, str) and len(value) <= most and "\0" not in value and _is_utf8(value)

    return check


def whole(least: int, most: int) -> Check:
    """A field that is a whole number between the two, both included."""

    def check(value: object) -> bool:
        return type(value) is int and least <= value <= most

    return check


def by_index(most: int, check: Check) -> Check:
    """A field with a value for some of the whole numbers below ``most``: an object, whose keys are text."""
    keys = {str(index) for index in range(most)}

    def check_all(value: object) -> bool:
        return isinstance(value, dict) and value.keys() <= keys and all(check(each) for each in value.values())

    return check_all


def is_too_large(frame: str | bytes) -> bool:
    """Whether a frame is over ``MAX_BYTES`` on the wire."""
    if len(frame) > MAX_BYTES:
        return True
    return isinstance(frame, str) and len(frame.encode("utf-8", "surrogatepass")) > MAX_BYTES


def parse(frame: str, schema: Schema) -> Message:
    """Read one text frame.

    Raises ``Refused`` with ``malformed``, ``unknown-type`` or ``bad-field``, and nothing else
    whatever the frame holds.
    """
    name, number, rest = _envelope(frame)
    if name not in schema:
        raise Refused("unknown-type", re=number)
    fields = schema[name]
    for field in fields.keys() | rest.keys():
        if field not in fields or field not in rest or not fields[field](rest[field]):
            raise Refused("bad-field", f"{WORDS['bad-field']} ({_printable(field)})", re=number)
    return Message(name, number, rest)


class Bucket:
    """A token bucket: ``per_second`` on the average, ``burst`` at once."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._tokens, self._at = float(burst), clock()

    def take(self) -> bool:
        """Take one token; False when there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Inbox:
    """What one socket has sent so far: keeps the order and the pace."""

    def __init__(self, schema: Schema, clock: Callable[[], float] = time.monotonic) -> None:
        self._schema, self._last_id = schema, 0
        self._pace = Bucket(MESSAGES_PER_SECOND, MESSAGE_BURST, clock)
        self._patience = Bucket(REFUSALS_PER_SECOND, REFUSAL_BURST, clock)

    def take(self, frame: str) -> Message:
        """The next message. Raises ``Refused`` as ``parse`` does, or with ``too-fast``, ``out-of-order``.

        A message that says its id has used it up, also when it is refused.
        """
        if not self._pace.take():
            raise Refused("too-fast", re=_id_in(frame))
        try:
            message = parse(frame, self._schema)
        except Refused as refusal:
            if refusal.re is not None:
                self._advance(refusal.re)
            raise
        self._advance(message.id)
        return message

    def forgive(self) -> bool:
        """Count one refusal; False when this socket has had too many."""
        return self._patience.take()

    def _advance(self, number: int) -> None:
        if number <= self._last_id:
            raise Refused("out-of-order", re=number)
        self._last_id = number


def _envelope(frame: str) -> tuple[str, int, dict[str, Any]]:
    try:
        data = json.loads(frame, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
        raise Refused("malformed") from None
    if not isinstance(data, dict):
        raise Refused("malformed")
    name, number = data.pop("type", None), data.pop("id", None)
    if not isinstance(name, str) or type(number) is not int or not 1 <= number <= MAX_ID:
        raise Refused("malformed")
    return name, number, data


def _id_in(frame: str) -> int | None:
    try:
        return _envelope(frame)[1]
    except Refused:
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        return False
    return True


def _printable(name: str) -> str:
    return ascii(name[:40])
