"""Where the clip and the compiled programs are kept, and how C becomes a library."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[2] / ".tools" / "bench"
FOLDER.mkdir(parents=True, exist_ok=True)


def library(source: Path) -> ctypes.CDLL:
    """Compile a C file, unless that is done, and load it. Raises FileNotFoundError without gcc."""
    return ctypes.CDLL(
        str(compiled(source, FOLDER / f"{source.stem}.so", ["gcc", "-O2", "-shared", "-fPIC", "-pthread"]))
    )


def compiled(source: Path, target: Path, command: list[str]) -> Path:
    """`target`, made anew by `command` if `source` is younger."""
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        fresh = target.with_suffix(".new")
        subprocess.run([*command, "-o", fresh, source], check=True)
        fresh.rename(target)
    return target
