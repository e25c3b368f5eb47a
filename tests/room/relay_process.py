"""A relay process of the tests' own."""

import os
import re
import subprocess
import sys

from django.conf import settings

from telehealth.embedded import end_with_parent


def start_relay(limits: str = "") -> subprocess.Popen[str]:
    """Start it on a free port; returns when it is ready. ``limits`` as in TELEHEALTH_RELAY_LIMITS."""
    process = subprocess.Popen(
        [sys.executable, "-m", "visits.relay"],
        env={**os.environ, "TELEHEALTH_RELAY_PORT": "0", "TELEHEALTH_RELAY_LIMITS": limits},
        cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.match(r"relay \S+ on 127\.0\.0\.1:\d+", line), line
    return process
