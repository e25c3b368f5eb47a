"""A relay process of the tests' own."""

import os
import re
import subprocess
import sys

from django.conf import settings

from telehealth.embedded import end_with_parent
from telehealth.launcher import local_relay


def start_relay(
    limits: str = "", *, address: str = "127.0.0.1", command: tuple[str, ...] = (), as_in_demo: bool = False
) -> subprocess.Popen[str]:
    """Start it on a free port; returns when it is ready. ``limits`` as in TELEHEALTH_RELAY_LIMITS.

    ``command`` starts it elsewhere, as in a network namespace where ``address`` is. ``as_in_demo``: at the
    address at which the demo's relays are.
    """
    where = {"BIND": address, "PUBLIC_IP": address} | (local_relay() if as_in_demo else {})
    settings_of_it = {"PORT": "0", "LIMITS": limits, **where}
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "visits.relay"],
        env={**os.environ, **{f"TELEHEALTH_RELAY_{name}": value for name, value in settings_of_it.items()}},
        cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.match(rf"relay \S+ on {re.escape(where['PUBLIC_IP'])}:\d+", line), line
    return process
