"""Sockets that hear nobody but this machine, though they are bound to an address that its network knows."""

import ctypes
import socket
import struct
import sys

# Linux: what it has no names for in Python (socket(7), linux/filter.h, linux/if_arp.h).
SO_ATTACH_FILTER = 26
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
DEVICE_TYPE = 0xFFFFF000 + 28  # of the device by which a packet came
LOOPBACK = 772
WHOLE, NOTHING = 0xFFFFFFFF, 0
# Not SO_BINDTODEVICE: Linux counts a packet to an address of its own as come by that address's device.
PROGRAM = ((LOAD, 0, 0, DEVICE_TYPE), (JUMP_IF_EQUAL, 0, 1, LOOPBACK), (RETURN, 0, 0, WHOLE), (RETURN, 0, 0, NOTHING))


def hear_only_this_machine(sock: socket.socket) -> None:
    """Have the kernel drop what came over a wire or the air. Before ``bind``. OSError where there is no such thing."""
    if sys.platform != "linux":
        raise OSError("only Linux keeps a socket to its machine")
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in PROGRAM))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(PROGRAM), ctypes.addressof(steps)))


def own_address() -> str | None:
    """An IPv4 address that this machine has besides loopback and that such a socket can be reached at from here."""
    try:
        with _udp() as outward, _udp() as heard, _udp() as sent:
            outward.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the way out
            host: str = outward.getsockname()[0]
            hear_only_this_machine(heard)
            heard.bind((host, 0))
            sent.bind((host, 0))
            for one, other in ((sent, heard), (heard, sent)):
                one.sendto(b"?", other.getsockname())
                other.recv(1)
    except OSError:
        return None
    return None if host.startswith("127.") else host


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1.0)
    return sock
