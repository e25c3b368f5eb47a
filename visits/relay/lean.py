"""Keep the codecs out of the relay process."""

from __future__ import annotations

import importlib.util
import sys


def leave_codecs_out() -> None:
    """Let ``aiortc.rtcdtlstransport`` be imported without ``aiortc/__init__``, which loads PyAV.

    The relay decodes nothing, so FFmpeg, libvpx and Opus would be some 60 MB of native code that
    faces the network for no use. The package is registered as it was found but not executed; its
    submodules import as usual. Only for the process of ``python -m visits.relay``, and before
    anything there imports aiortc.
    """
    if "aiortc" in sys.modules:
        return
    spec = importlib.util.find_spec("aiortc")
    if spec is None:
        raise ModuleNotFoundError("aiortc")
    sys.modules["aiortc"] = importlib.util.module_from_spec(spec)
