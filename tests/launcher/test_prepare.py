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


def test_a_worker_and_what_it_imports_have_hashed_addresses(source, tmp_path):
    (source.parent / "page.js").write_text('new Worker(new URL("./worker.js", import.meta.url), {type: "module"});\n')
    (source.parent / "worker.js").write_text('import {x} from "./x.js";\n')
    (source.parent / "x.js").write_text("export const x = 1;\n")
    collect_static_files()

    names = {path.name.split(".")[0]: path for path in (tmp_path / "static").glob("*.*.js")}
    assert f'new URL("./{names["worker"].name}", import.meta.url)' in names["page"].read_text()
    assert f'from "./{names["x"].name}"' in names["worker"].read_text()
