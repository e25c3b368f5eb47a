"""Signed anchors: what the chain was at a time, in the database and, one line of JSON each, in a file outside of it.

Who cuts the end off every table leaves a chain that is whole, only shorter. The anchors outside say how long it was.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from accounts.audit.digests import derived_key
from accounts.models import AuditAnchor, AuditSeal

# A new anchor after so many rows or so long, if there are new rows.
ROWS = 1000
PAUSE = timedelta(minutes=1)
# A line has some 300 bytes.
LINE_BYTES = 1024


class Unreadable(Exception):
    """A line that is no anchor. ``args[0]`` is its number, from 1."""


def public_key() -> str:
    """What the anchors' signatures are checked with, in hex."""
    return _private_key().public_key().public_bytes_raw().hex()


def anchor_if_due() -> None:
    """Sign the end of the chain into the database; call it in a transaction of the sealer's."""
    end, last = AuditSeal.objects.order_by("position").last(), AuditAnchor.objects.order_by("position").last()
    now = timezone.now()
    if end is None or (last and end.position == last.position):
        return
    if last and end.position - last.position < ROWS and now - last.at < PAUSE:
        return
    anchor = AuditAnchor(position=end.position, digest=end.digest, at=now)
    anchor.signature = _private_key().sign(_message(anchor)).hex()
    anchor.save(force_insert=True)


def is_signed(anchor: AuditAnchor) -> bool:
    """Whether the signature is ours, and of this anchor."""
    try:
        _private_key().public_key().verify(bytes.fromhex(anchor.signature), _message(anchor))
    except (InvalidSignature, ValueError):
        return False
    return True


def copy_out(path: Path) -> None:
    """Append the anchors to the file that it does not have yet. Raises OSError, Unreadable for a damaged last line."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        for anchor in AuditAnchor.objects.filter(position__gt=_last_position(file)).order_by("position").iterator():
            os.write(file, (json.dumps(_as_dict(anchor)) + "\n").encode())
        os.fsync(file)
    finally:
        os.close(file)


def read(lines: Iterable[str]) -> Iterator[AuditAnchor]:
    """The anchors of a file, unchecked. Raises Unreadable for a line that is none."""
    for number, line in enumerate(lines, 1):
        yield _anchor(line, number)


def _last_position(file: int) -> int:
    size = os.lseek(file, 0, os.SEEK_END)
    if not size:
        return 0
    end = os.pread(file, LINE_BYTES, max(size - LINE_BYTES, 0)).decode()
    return _anchor(end.rstrip("\n").rpartition("\n")[2], -1).position


def _anchor(line: str, number: int) -> AuditAnchor:
    try:
        said = json.loads(line)
        return AuditAnchor(
            position=int(said["position"]),
            digest=str(said["digest"]),
            at=datetime.fromisoformat(said["at"]),
            signature=str(said["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        raise Unreadable(number) from None


def _message(anchor: AuditAnchor) -> bytes:
    said = {name: value for name, value in _as_dict(anchor).items() if name != "signature"}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _as_dict(anchor: AuditAnchor) -> dict[str, Any]:
    at = anchor.at.astimezone(UTC).isoformat(timespec="microseconds")
    return {"position": anchor.position, "digest": anchor.digest, "at": at, "signature": anchor.signature}


def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derived_key("anchor"))
