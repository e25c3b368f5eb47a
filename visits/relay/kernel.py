"""Linux system calls that Python does not offer: many datagrams at once, and a timer that can be polled.

recvmmsg(2), sendmmsg(2), timerfd_create(2), poll(2), by cffi's ABI mode: no compiler is needed. The layouts are those
of 64-bit little-endian Linux (x86-64, arm64) with glibc or musl; tests/relay/test_kernel.py holds them to real calls.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import Any

from cffi import FFI

ffi: Any = FFI()
ffi.cdef("""
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
struct timespec { long tv_sec; long tv_nsec; };
struct itimerspec { struct timespec it_interval; struct timespec it_value; };
int recvmmsg(int, struct mmsghdr *, unsigned int, int, void *);
int sendmmsg(int, struct mmsghdr *, unsigned int, int);
int timerfd_create(int, int);
int timerfd_settime(int, int, const struct itimerspec *, struct itimerspec *);
int clock_gettime(int, struct timespec *);
struct pollfd { int fd; short events; short revents; };
int poll(struct pollfd *, unsigned long, int);
long read(int, void *, size_t);
int *__errno_location(void);
""")
NULL = ffi.NULL

SOCKADDR = 16  # bytes of a sockaddr_in
NONBLOCK = socket.MSG_DONTWAIT
CLOCK_MONOTONIC = 1
TFD_FLAGS = os.O_CLOEXEC

# What compiled code calls by its address, in the order of `addresses`.
CALLED = ("recvmmsg", "sendmmsg", "poll", "read", "clock_gettime", "__errno_location")
RECVMMSG, SENDMMSG, POLL, READ, CLOCK_GETTIME, ERRNO = range(len(CALLED))
NEEDED = (*CALLED, "timerfd_create", "timerfd_settime")


def _load() -> Any:
    if sys.platform != "linux" or sys.byteorder != "little" or sys.maxsize <= 1 << 32:
        return None
    try:
        library = ffi.dlopen(None)
        for name in NEEDED:
            getattr(library, name)
    except (OSError, AttributeError):
        return None
    return library


libc = _load()  # None where these calls cannot be made


def addresses() -> list[int]:
    """Where the functions of CALLED lie."""
    return [int(ffi.cast("uintptr_t", getattr(libc, name))) for name in CALLED]


def scratch(timer: int) -> Any:
    """Two words to write to, and the pollfd of a timer behind them."""
    words = ffi.new("long[3]")
    watched = ffi.cast("struct pollfd *", words + 2)
    watched.fd, watched.events = timer, select.POLLIN
    return words


def last_error() -> int:
    """errno of the last call."""
    return int(ffi.errno)


def timer() -> int:
    """The descriptor of a timer that is not running; who reads it waits. OSError if the kernel has none to give."""
    descriptor = int(libc.timerfd_create(CLOCK_MONOTONIC, TFD_FLAGS))
    if descriptor < 0:
        raise OSError(last_error(), "timerfd_create")
    return descriptor


def set_timer(descriptor: int, seconds: float) -> None:
    """Let the timer become readable every `seconds` from now; 0 stops it."""
    spec = ffi.new("struct itimerspec *")
    whole, part = divmod(int(seconds * 1e9), 10**9)
    for field in (spec.it_interval, spec.it_value):
        field.tv_sec, field.tv_nsec = whole, part
    if libc.timerfd_settime(descriptor, 0, spec, NULL) < 0:
        raise OSError(last_error(), "timerfd_settime")
