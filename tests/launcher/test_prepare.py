"""Static files are collected when they changed, since that takes seconds at each start."""

from pathlib import Path
from typing import Any

import pytest

from telehealth.prepare import collect_static_files


@pytest.fixture
def source(settings: Any, tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "telehealth.storage.ModuleStaticFilesStorage"}}
    path = tmp_path / "source" / "a.css"
    path.write_text("a { color: red }")
    return path


def test_static_files_are_collected_once(source, tmp_path):
    assert collect_static_files()
    assert (tmp_path / "static" / "a.css").read_text() == source.read_text()

    assert not collect_static_files()


def test_a_changed_a_new_and_a_lost_file_are_seen(source, tmp_path):
    collect_static_files()
    source.write_text("a { color: blue }")
    assert collect_static_files()
    assert (tmp_path / "static" / "a.css").read_text() == source.read_text()

    (source.parent / "b.css").write_text("")
    assert collect_static_files()

    (source.parent / "b.css").unlink()
    assert collect_static_files()


def test_collected_files_that_were_removed_are_made_again(source, tmp_path):
    collect_static_files()
    (tmp_path / "static" / "staticfiles.json").unlink()

    assert collect_static_files()
