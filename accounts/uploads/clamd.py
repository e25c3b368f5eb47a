"""Asks a ClamAV daemon about a file: the command INSTREAM of clamd(8)."""

import re
import socket
import struct
import time
from contextlib import suppress

Address = str | tuple[str, int]  # the path of a socket, or host and port

ANSWER = re.compile(r"stream: (?:OK|(?P<name>.+) FOUND)\0")
TOO_LARGE = "INSTREAM size limit exceeded. ERROR\0"  # than clamd's own StreamMaxLength
LONGEST = 1024  # bytes of an answer


class Unchecked(Exception):
    """There is no verdict; ``reason`` is unreachable, timeout, too_large (for the daemon) or error (another answer)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def scan(content: bytes, address: Address, *, seconds: float) -> str:
    """Return the name of what the daemon finds in ``content``, empty if it finds nothing.

    Raises Unchecked unless a whole answer is there within ``seconds`` (for each address that the host has, while
    connecting).
    """
    deadline = time.monotonic() + seconds
    try:
        with _connected(address, seconds) as line:
            line.settimeout(_left(deadline))
            with suppress(BrokenPipeError, ConnectionResetError):  # who has had enough closes, and said why before
                line.sendall(b"zINSTREAM\0" + struct.pack("!L", len(content)) + content + struct.pack("!L", 0))
            answer = _answer(line, deadline)
    except TimeoutError:
        raise Unchecked("timeout") from None
    except OSError:
        raise Unchecked("unreachable") from None
    verdict = ANSWER.fullmatch(answer)
    if verdict is None:
        raise Unchecked("too_large" if answer == TOO_LARGE else "error")
    return verdict["name"] or ""


def _connected(address: Address, seconds: float) -> socket.socket:
    if not isinstance(address, str):
        return socket.create_connection(address, timeout=seconds)
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(seconds)
    try:
        line.connect(address)
    except OSError:
        line.close()
        raise
    return line


def _answer(line: socket.socket, deadline: float) -> str:
    """What is said up to its NUL, or to the end, if that comes first."""
    answer = b""
    while b"\0" not in answer and len(answer) < LONGEST:
        line.settimeout(_left(deadline))
        part = line.recv(LONGEST)
        if not part:
            break
        answer += part
    return answer.decode("ascii", errors="replace")


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
