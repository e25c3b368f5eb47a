"""Each browser behind a line of its own, which can be made bad."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.network.lab import Lab, missing


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    reason = missing()
    if reason:
        pytest.skip(f"NOT RUN: {reason}")
    lab = Lab(tmp_path)
    yield lab
    lab.close()
