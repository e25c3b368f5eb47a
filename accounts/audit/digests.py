"""The keyed digests of the audit trail: of a row, and of its place in the chain. Reads and writes nothing.

All keys come from TELEHEALTH_AUDIT_KEY by HKDF (RFC 5869), one for each use. The chain is keyed too: a plain hash
over the rows' digests could be made anew by whoever takes a row out.
"""

import hmac
import json
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

if TYPE_CHECKING:
    from accounts.models import AuditEvent

# What the chain begins with.
GENESIS = "0" * 64

# What is taken as text, in this order; address and detail are taken besides. Left out are the id, which is not known
# before the insert (the seal names it), and the digest itself.
COLUMNS = (
    "uid", "recorded", "clinic_id", "user_id", "link_id", "role", "action", "subtype", "outcome", "entity_type",
    "entity_id", "patient_id", "request_id",
)  # fmt: skip


def row_digest(event: "AuditEvent") -> str:
    """HMAC-SHA256 of all that the row says, in hex."""
    said = [_text(getattr(event, name)) for name in COLUMNS]
    address = str(ip_address(event.address)) if event.address else None
    detail = json.loads(json.dumps(event.detail))  # keys that are numbers become text, as in the database
    return _mac("row", json.dumps([said, address, detail], sort_keys=True, separators=(",", ":")))


def seal_digest(before: str, position: int, event_id: int, digest: str) -> str:
    """HMAC-SHA256 of a seal, in hex. ``before`` is the digest of the seal before, ``digest`` the row's."""
    return _mac("seal", json.dumps([before, position, event_id, digest], separators=(",", ":")))


def derived_key(use: str) -> bytes:
    """32 bytes for one use, out of TELEHEALTH_AUDIT_KEY."""
    return _derived(settings.AUDIT_KEY, use)


@cache
def _derived(secret: str, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"telehealth audit {use} 1".encode()).derive(secret.encode())


def _mac(use: str, message: str) -> str:
    return hmac.new(derived_key(use), message.encode(), sha256).hexdigest()


def _text(value: object) -> str | None:
    """As every database gives it back: instants in UTC, choices and ids as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return None if value is None else str(value)
