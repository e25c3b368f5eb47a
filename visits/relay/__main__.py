"""``python -m visits.relay``: run one relay node."""

from __future__ import annotations

import os
import sys

from visits.relay.lean import leave_codecs_out, start_no_threads

if __name__ == "__main__":
    leave_codecs_out()
    start_no_threads()
    from visits.relay.server import run  # only now: it imports aiortc

    sys.exit(run(os.environ))
