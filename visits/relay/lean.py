"""Keep what the relay does not need out of its process: codecs, and threads."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType


class _AudioFrame:
    """Stands in an annotation of ``aiortc.rtp``, where the relay never calls anything."""


def start_no_threads() -> None:
    """Let NumPy be imported without the threads that its linear algebra starts at once, and their stacks."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"


def leave_codecs_out() -> None:
    """Let ``aiortc.rtcdtlstransport`` be imported without PyAV: no FFmpeg, no libvpx, no Opus.

    The relay decodes nothing, so they would be tens of megabytes of native parsers in a process
    that faces the network, for no use. ``aiortc`` is registered as found but not executed (its
    ``__init__`` imports all codecs), and ``av`` by the one name that its ``rtp`` module wants. For
    the process of ``python -m visits.relay`` alone, before anything there imports aiortc;
    tests/relay/test_process.py looks at the libraries that are mapped.
    """
    if "aiortc" in sys.modules or "av" in sys.modules:
        raise RuntimeError("aiortc is imported already")
    spec = importlib.util.find_spec("aiortc")
    if spec is None:
        raise ModuleNotFoundError("aiortc")
    sys.modules["aiortc"] = importlib.util.module_from_spec(spec)
    no_codecs = ModuleType("av")
    no_codecs.AudioFrame = _AudioFrame  # type: ignore[attr-defined]
    sys.modules["av"] = no_codecs
