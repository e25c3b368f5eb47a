"""The line between one browser's network namespace and the world, as a process of its own (needs root).

Two tunnel devices with a pause between them: what the browser sends comes out at the relay's namespace after the
delay, and back. On the way its source ports are exchanged as a router at home does it, so that they can change in
mid-call. The web server is reached by TCP through this process, too: ``localhost`` of the browser is that of the
tests, and stays a secure context.

Commands come in by standard input, one a line, and each is answered by a line: ``delay <seconds>``, ``move`` (other
source ports from now on), ``cut`` and ``mend`` (the way to the web server), ``dead`` and ``alive`` (the way to the
relay).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import random
import socket
import struct
import sys
from collections.abc import Iterator

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
CLONE_NEWNET = 0x40000000
UDP = 17
MTU = 2048
DEVICE = "wire"


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread's new sockets and processes belong to the namespace."""
    libc = ctypes.CDLL("libc.so.6", use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def tunnel(namespace: str, device: str) -> int:
    """A tunnel device in the namespace; its file gives and takes IP packets."""
    with inside(namespace):
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return file


class Router:
    """Exchanges source ports of UDP packets (IPv4), as a router at home."""

    def __init__(self) -> None:
        self._outside: dict[int, int] = {}
        self._inside: dict[int, int] = {}

    def move(self) -> None:
        """Forget all ports: what comes to the old ones is lost, what goes out gets new ones."""
        self._outside.clear()
        self._inside.clear()

    def out(self, packet: bytearray) -> bool:
        """From the browser. Returns whether the packet passes."""
        at = _udp(packet)
        if at is None:
            return False
        port = int.from_bytes(packet[at : at + 2], "big")
        if port not in self._outside:
            public = random.randrange(20_000, 60_000)
            self._outside[port], self._inside[public] = public, port
        _set_port(packet, at, at, self._outside[port])
        return True

    def back(self, packet: bytearray) -> bool:
        """To the browser."""
        at = _udp(packet)
        if at is None:
            return False
        port = self._inside.get(int.from_bytes(packet[at + 2 : at + 4], "big"))
        if port is None:
            return False
        _set_port(packet, at, at + 2, port)
        return True


def _udp(packet: bytearray) -> int | None:
    """Where the UDP header starts."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    return 4 * (packet[0] & 0x0F)


def _set_port(packet: bytearray, header: int, at: int, port: int) -> None:
    packet[at : at + 2] = port.to_bytes(2, "big")
    packet[header + 6 : header + 8] = b"\0\0"  # no checksum (RFC 768)


class Line:
    """The two ways of the packets, and the way to the web server."""

    def __init__(self, browser: str, relay: str, device: str, site: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._site = site
        self._router = Router()
        self._delay = 0.0
        self._alive = True
        self._open = True
        self._connections: set[asyncio.StreamWriter] = set()
        far, near = tunnel(browser, DEVICE), tunnel(relay, device)
        self._loop.add_reader(far, self._carry, far, near, self._router.out)
        self._loop.add_reader(near, self._carry, near, far, self._router.back)
        with inside(browser):
            self._listener = socket.create_server(("127.0.0.1", site))

    def _carry(self, source: int, target: int, passes) -> None:
        for _ in range(64):
            try:
                packet = bytearray(os.read(source, MTU))
            except BlockingIOError:
                return
            if self._alive and passes(packet):
                self._loop.call_later(self._delay, self._put, target, packet)

    def _put(self, target: int, packet: bytearray) -> None:
        with contextlib.suppress(OSError):  # a device that is down, a full queue
            os.write(target, packet)

    async def serve(self) -> None:
        """Carry TCP connections to the web server."""
        await asyncio.start_server(self._connect, sock=self._listener)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, here = await asyncio.open_connection("127.0.0.1", self._site)
        self._connections |= {writer, here}
        await asyncio.gather(self._pump(reader, here), self._pump(there, writer))
        self._connections -= {writer, here}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    def command(self, word: str, *values: str) -> None:
        match word:
            case "delay":
                self._delay = float(values[0])
            case "move":
                self._router.move()
            case "cut":
                self._open = False
                for writer in self._connections:
                    writer.transport.abort()
            case "mend":
                self._open = True
            case "dead" | "alive":
                self._alive = word == "alive"


async def main(browser: str, relay: str, device: str, site: str) -> None:
    line = Line(browser, relay, device, int(site))
    await line.serve()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)  # noqa: T201 - read by the test
    while text := await commands.readline():
        line.command(*text.decode().split())
        print("done", flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
