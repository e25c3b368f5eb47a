"""What was compiled is kept for this very code, and where it cannot be kept the relay starts all the same."""

import os
import shutil
import subprocess
import sys

import numba
import numpy
import pytest

from tests.relay.conftest import ROOT
from visits.relay import compiling


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "HERE", tmp_path / "relay")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    compiling.HERE.mkdir()
    (compiling.HERE / "loop.py").write_text("KEPT = 512\n")
    return compiling.HERE


def test_another_state_of_the_code_has_another_shelf(elsewhere):
    first = compiling._shelf()
    assert first.parent == elsewhere / "__pycache__"
    assert compiling._shelf() == first
    (elsewhere / "loop.py").write_text("KEPT = 1024\n")
    assert compiling._shelf() != first


def test_where_the_code_cannot_be_written_the_shelf_is_at_home_and_else_nowhere(elsewhere, tmp_path):
    (elsewhere / "__pycache__").write_text("in the way")
    assert compiling._shelf().parent == tmp_path / "home" / ".cache" / "telehealth"
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "home").write_text("in the way")
    assert compiling._shelf() is None


def test_the_loop_is_compiled_also_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "home").write_text("in the way")
    words = (
        "from visits.relay import compiling; compiling.SHELF = None\n"
        "from visits.relay.tables import Tables\n"
        "tables = Tables(); row = tables.add(1, 2); print(tables.find(1, 2) == row)"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "True"


def test_compiled_code_counts_no_references_and_checks_bounds(monkeypatch):
    def first_of(rows, number):
        row = rows[number]
        return row[0]

    monkeypatch.setattr(compiling, "SHELF", None)
    compiled, rows = compiling.compiled(first_of), numpy.arange(6).reshape(2, 3)
    assert compiled(rows, 1) == 3
    with pytest.raises(IndexError):
        compiled(rows, 2)
    (signature,) = compiled.signatures
    assert "NRT_" not in compiled.inspect_asm(signature)

    usual = numba.njit(first_of)
    usual(rows, 1)
    assert "NRT_" in usual.inspect_asm(usual.signatures[0]), "the name has changed: the look above tells nothing"
