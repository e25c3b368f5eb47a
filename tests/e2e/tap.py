"""``python -m tests.e2e.tap``: a relay that writes down what it has in its hands, to the file that ``TAP`` names.

That is each RTP packet after the relay has taken SRTP off: all that it, or who has broken into it, could ever see.
"""

import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LENGTH = struct.Struct("!I")


def packets(path: Path) -> Iterator[bytes]:
    """What was written down, in the order of arrival."""
    data = path.read_bytes()
    at = 0
    while at + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, at)
        at += LENGTH.size
        if at + length > len(data):
            return  # being written
        yield data[at : at + length]
        at += length


def main() -> int:
    from visits.relay.lean import leave_codecs_out

    leave_codecs_out()
    from visits.relay import hooks
    from visits.relay.server import run

    file = os.open(os.environ["TAP"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    unprotect = hooks.SecureLink.unprotect

    def tapped(link: hooks.SecureLink, packet: bytes) -> bytes | None:
        plain = unprotect(link, packet)
        if plain is not None:
            os.write(file, LENGTH.pack(len(plain)) + plain)
        return plain

    hooks.SecureLink.unprotect = tapped  # type: ignore[method-assign]
    # The other path takes SRTP off in place, many packets at once; the packets are the same.
    return run({**os.environ, "TELEHEALTH_RELAY_PATH": "portable"})


if __name__ == "__main__":
    sys.exit(main())
