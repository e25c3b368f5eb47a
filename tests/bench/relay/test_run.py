"""That the bench itself works; what it measures is for docs/figures.md."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.bench.relay.servers import ROOT


@pytest.mark.skipif(not shutil.which("gcc"), reason="the load generator is in C")
@pytest.mark.parametrize("server", ["batched", "floor"])
def test_all_that_is_sent_comes_back(server: str) -> None:
    command = [sys.executable, "-m", "tests.bench.relay.run", server, "--rooms", "1", "--people", "3", "--seconds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    figures = json.loads(done.stdout)

    assert figures["streams_missing"] == 0
    assert figures["received"] >= 2 * figures["sent"] > 0
    assert figures["rejected"] == figures["send_errors"] == 0
