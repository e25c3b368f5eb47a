"""``python -m telehealth.relays``: one media relay process for each core, each started anew whenever it ends.

TELEHEALTH_RELAY_PROCESSES says how many. They have the ports from TELEHEALTH_RELAY_PORT on, and are named after
TELEHEALTH_RELAY_NODE with a number.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import FrameType

from telehealth.embedded import end_with_parent, stop

COMMAND = [sys.executable, "-m", "visits.relay"]
LOOK_EVERY = 0.2
PAUSES = (0.2, 1.0, 5.0, 15.0)  # seconds before it is started again: a relay that cannot run needs no haste
STEADY_AFTER = 60.0  # seconds after which its failures are forgotten
CANNOT_START = 1  # its exit status for a wrong setting, a taken port, no Redis,
START_WITHIN = 10.0  # and how soon it says so


class Stopped(Exception):
    """Somebody asked us to end."""


class Relay:
    """One relay process, and those after it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._failures = 0
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        self._again_at = 0.0
        self.process = subprocess.Popen(COMMAND, env=dict(self._environment), preexec_fn=end_with_parent)

    def look(self) -> None:
        """Start it again, after a pause, if it has ended. Raises SystemExit if the very first one cannot start."""
        now = time.monotonic()
        if self.process.poll() is None:
            if now - self._started > STEADY_AFTER:
                self._failures = 0
        elif not self._again_at:
            could_not = self.process.returncode == CANNOT_START and now - self._started < START_WITHIN
            if could_not and not self._failures:
                raise SystemExit(CANNOT_START)
            self._again_at = now + PAUSES[min(self._failures, len(PAUSES) - 1)]
            self._failures += 1
            print(f"a relay ended with status {self.process.returncode}, starting another one", file=sys.stderr)
        elif now >= self._again_at:
            self._start()


def environments(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """The environment of each process. Raises SystemExit with one line if a number is none."""
    count = _number(environ, "TELEHEALTH_RELAY_PROCESSES", os.cpu_count() or 1)
    port = _number(environ, "TELEHEALTH_RELAY_PORT", 7000)
    name = environ.get("TELEHEALTH_RELAY_NODE", "")
    return [
        {
            **environ,
            "TELEHEALTH_RELAY_PORT": str(port + index if port else 0),
            "TELEHEALTH_RELAY_NODE": f"{name}-{index + 1}" if name else "",
        }
        for index in range(count)
    ]


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit():
        raise SystemExit(f"relay: {name} is not a number")
    return int(text)


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    relays: list[Relay] = []
    try:
        for environment in environments(os.environ):
            relays.append(Relay(environment))
        while True:
            time.sleep(LOOK_EVERY)
            for relay in relays:
                relay.look()
    except Stopped:
        return 0
    finally:
        for relay in relays:
            relay.process.terminate()
        for relay in relays:
            stop(relay.process)


def _stop(number: int, frame: FrameType | None) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
