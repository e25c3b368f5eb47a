"""The figures of all runs as a table in Markdown."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.relay.servers import server_class

COLUMNS = (
    "visits", "people", "server", "CPU per forwarded packet, µs", "ours = 1", "core used, %", "visits per core",
    "added latency p50 / p99, ms", "lost, %", "memory of a visit, MB (of none)",
)  # fmt: skip
BEGIN, END = "<!-- relay bench -->\n", "<!-- end -->\n"


@dataclass
class Case:
    """One row of the table: a server with so many rooms of so many people, and what each run of it gave."""

    server: str
    rooms: int
    people: int
    runs: list[dict[str, Any]] = field(default_factory=list)


def table(cases: list[Case], gap: int) -> str:
    """The rows that have figures, the values of all rounds side by side, under a line about where and with what."""
    ran = [case for case in cases if case.runs]
    versions = dict.fromkeys(server_class(case.server).version() for case in ran)
    profiles = dict.fromkeys(run["profile"] for case in ran for run in case.runs)
    spread = f"{gap} µs between two packets of a frame" if gap else "a frame's packets in one burst"
    facts = [time.strftime("%Y-%m-%d"), _machine(), *filter(None, versions), *profiles, spread]
    ours = {(case.rooms, case.people): _median(case, "us") for case in ran if case.server == "batched"}
    rows = [_row(case, ours.get((case.rooms, case.people))) for case in ran]
    lines = [", ".join(facts) + ":", "", _line(COLUMNS), _line(["---"] * len(COLUMNS)), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def put_into(path: Path, text: str) -> None:
    """Replace what stands between the two marks of a document. ValueError if they are not there."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for the table")
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


def _row(case: Case, ours: float | None) -> list[str]:
    server = server_class(case.server)
    head = [str(case.rooms), str(case.people), server.title]
    memory = f"{_median(case, 'memory') / 1e6:.1f} ({_median(case, 'memory_empty') / 1e6:.0f})"
    core = _values(case, "core", 0, 100)
    if server.transcodes:  # its packets are not those that were sent
        return [*head, "", "", core, _values(case, "rooms_per_core", 1), "", "", memory]
    return [
        *head, _values(case, "us", 1), f"{_median(case, 'us') / ours:.2f}" if ours else "", core,
        _values(case, "rooms_per_core", 0), f"{_values(case, 'p50', 2)} / {_values(case, 'p99', 1)}",
        ", ".join(_lost(run) for run in case.runs), memory,
    ]  # fmt: skip


def _lost(run: dict[str, Any]) -> str:
    silent = run["streams_missing"]
    return f"{silent} streams silent" if silent else f"{100 * run['loss']:.2f}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _median(case: Case, name: str) -> float:
    return float(median(run[name] for run in case.runs))


def _values(case: Case, name: str, digits: int, factor: float = 1) -> str:
    return ", ".join(f"{factor * run[name]:.{digits}f}" for run in case.runs)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, CPython {platform.python_version()}"
