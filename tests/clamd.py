"""A virus scanner for tests: speaks clamd's INSTREAM, and gives the answer that the test wants."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

# What every scanner finds, and harms nobody (EICAR, 2006); in two parts, so that none finds this file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + rb"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
Behaviour = Callable[[socket.socket], None]


@contextmanager
def listening(behaviour: Behaviour, path: Path | None = None) -> Iterator[str | tuple[str, int]]:
    """Where somebody listens who does ``behaviour`` with each connection, one after the other."""
    line = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    line.bind(str(path) if path else ("127.0.0.1", 0))
    line.listen()

    def serve() -> None:
        while True:
            try:
                caller, _peer = line.accept()
            except OSError:
                return
            with caller, suppress(OSError):  # they may have had enough of us
                caller.settimeout(5)
                behaviour(caller)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield str(path) if path else line.getsockname()
    finally:
        line.shutdown(socket.SHUT_RDWR)
        line.close()
        thread.join(10)


def judge(caller: socket.socket) -> None:
    """Find EICAR where it is."""
    caller.sendall(b"stream: Eicar-Signature FOUND\0" if EICAR in streamed(caller) else b"stream: OK\0")


def saying(answer: bytes) -> Behaviour:
    """Read all, answer this, and close."""

    def behaviour(caller: socket.socket) -> None:
        streamed(caller)
        caller.sendall(answer)

    return behaviour


def streamed(caller: socket.socket) -> bytes:
    """What a caller sends by INSTREAM, without the frames."""
    with caller.makefile("rb") as read:
        assert read.read(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack("!L", read.read(4))[0]:
            content += read.read(size)
        return content
