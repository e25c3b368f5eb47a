"""What ``make run`` does before its servers start: tables, static files, the demo clinic. Prints where to look.

One process for all of it, since most of the time of a management command is loading Django.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    collect_static_files()
    call_command("seed_demo", verbosity=0)
    call_command("demo_info")


def collect_static_files() -> bool:
    """Collect them, unless nothing that they are made from has changed since; return whether it did."""
    collected = Path(settings.STATIC_ROOT)
    note = collected.with_name(f"{collected.name}.sources")
    sources = _fingerprint()
    if (collected / "staticfiles.json").exists() and note.exists() and note.read_text() == sources:
        return False
    # Not until all of them are there. Cleared, since a file of another version may be older than the collected one.
    note.unlink(missing_ok=True)
    call_command("collectstatic", clear=True, interactive=False, verbosity=0)
    note.write_text(sources)
    return True


def _fingerprint() -> str:
    seen = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _sources())
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _sources() -> Iterator[Path]:
    """The files themselves, and what says how they are made: the storage, the versions of packages."""
    yield settings.BASE_DIR / "telehealth" / "storage.py"
    yield settings.BASE_DIR / "uv.lock"
    ignored = apps.get_app_config("staticfiles").ignore_patterns  # type: ignore[attr-defined]
    for finder in get_finders():
        for path, storage in finder.list(ignored):
            yield Path(storage.path(path))


if __name__ == "__main__":
    main()
