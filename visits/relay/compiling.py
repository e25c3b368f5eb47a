"""How functions of the relay are compiled by Numba, and where the result is kept between two starts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

HERE = Path(__file__).parent


def _shelf() -> Path | None:
    """A folder of what this very code is compiled to; None if there is nowhere to keep it.

    Numba looks at one function's file to see whether what it kept is still true, but constants and functions of
    other files are compiled in, too. So each state of the relay's code has a folder of its own.
    """
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        digest.update(source.read_bytes())
    for parent in (HERE / "__pycache__", Path("~/.cache/telehealth").expanduser()):
        shelf = parent / f"numba-{digest.hexdigest()[:16]}"
        try:
            shelf.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(shelf, os.W_OK):
            return shelf
    return None


SHELF = _shelf()
if SHELF is not None:
    numba.config.CACHE_DIR = str(SHELF)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, with arrays checked against their bounds.

    It may look at arrays, and at rows of them, but make none: without Numba's runtime (NRT) nothing counts who holds
    an array. Whoever calls holds them all; and to count, atomically, at each row took more than half of the loop's own
    time.
    """
    return numba.njit(function, cache=SHELF is not None, boundscheck=True, _nrt=False)
