"""The whole comparison: runs each case some times, in turns, and prints a table in Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.relay.servers import ROOT, SERVERS, server_class

FORWARDERS = [name for name in SERVERS if not server_class(name).transcodes]
MANY = {3: 20, 4: 10, 6: 4}  # rooms by people: each with as many packets to forward as 60 visits of two
ALONE = (100, 150)  # visits that only ours is asked to hold
PATIENCE = 180  # seconds for a run


@dataclass
class Case:
    """One row of the table."""

    server: str
    rooms: int
    people: int
    runs: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.relay", description="See tests/bench/relay/__init__.py."
    )
    parser.add_argument("--only", type=_names, default=list(SERVERS), help="servers: " + ", ".join(SERVERS))
    parser.add_argument("--visits", type=_numbers, help="two-person visits, such as 20,60")
    parser.add_argument("--people", type=_numbers, help="instead: visits of so many, such as 3,4,6")
    parser.add_argument("--seconds", type=float, default=6, help="of each window")
    parser.add_argument(
        "--gap",
        type=int,
        default=0,
        help="us between two packets of a burst, such as 1000: as they "
        "come through an uplink of 10 Mbit/s; by default as a browser lets them out",
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write all figures of all runs")
    given = parser.parse_args()
    cases = list(_cases(given.only, given.visits, given.people))
    if not cases:
        parser.error("nothing to measure")
    for turn in range(given.rounds):
        _round(cases, turn, given.seconds, given.gap)
    print("\n".join(table(cases)))
    if given.json:
        given.json.write_text(json.dumps([vars(case) for case in cases], indent=1))


def _names(text: str) -> list[str]:
    unknown = set(text.split(",")) - set(SERVERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _cases(only: Sequence[str], visits: Sequence[int] | None, people: Sequence[int] | None) -> Iterable[Case]:
    whole = visits is None and people is None
    runnable = []
    for name in only:
        missing = server_class(name).missing()
        if missing:
            _tell(f"{name}: not installed ({missing})")
        else:
            runnable.append(name)
    if whole:
        yield from (Case(name, 1, 2) for name in runnable if name not in FORWARDERS)
    forwarders = [name for name in runnable if name in FORWARDERS or not whole]
    for number in (20, 60) if whole else visits or ():
        yield from (Case(name, number, 2) for name in forwarders)
    if whole and "batched" in runnable:
        yield from (Case("batched", number, 2) for number in ALONE)
    for number in MANY if whole else people or ():
        yield from (Case(name, MANY[number], number) for name in forwarders if not whole or name != "portable")


def _round(cases: list[Case], turn: int, seconds: float, gap: int) -> None:
    start = turn * len(cases) // 2  # another order in every round
    for number, case in enumerate(cases[start:] + cases[:start], 1):
        command = [sys.executable, "-m", "tests.bench.relay.run", case.server, "--rooms", str(case.rooms)]
        command += ["--people", str(case.people), "--seconds", str(seconds), "--gap", str(gap)]
        begun = time.monotonic()
        try:
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        except subprocess.SubprocessError as error:
            _tell(f"{case.server} with {case.rooms} rooms of {case.people}: {error}")
            continue
        result = json.loads(done.stdout)
        case.runs.append(result)
        _tell(
            f"round {turn + 1}, {number}/{len(cases)}: {case.server}, {case.rooms} rooms of {case.people}: "
            f"{result['us']:.1f} us, {time.monotonic() - begun:.0f} s"
        )


def table(cases: list[Case]) -> list[str]:
    """The rows that have figures. Both values where there are two, then their median is their mean."""
    ran = [case for case in cases if case.runs]
    versions = ", ".join(dict.fromkeys(filter(None, (server_class(case.server).version() for case in ran))))
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {_machine()}, CPython {platform.python_version()}, {versions}; "
        + ", ".join(sorted({run["profile"] for case in ran for run in case.runs})),
        "",
        "| visits | people | server | CPU per forwarded packet, us | of ours | core used, % | visits per core "
        "| added latency p50 / p99, ms | lost, % | memory per visit, MB (empty) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    ours = {(case.rooms, case.people): _median(case, "us") for case in ran if case.server == "batched"}
    return lines + [_row(case, ours.get((case.rooms, case.people))) for case in ran]


def _row(case: Case, ours: float | None) -> str:
    transcodes = server_class(case.server).transcodes
    ratio = f"{_median(case, 'us') / ours:.2f}" if ours else ""
    cells = [
        str(case.rooms), str(case.people), server_class(case.server).title or case.server,
        "re-encodes" if transcodes else _all(case, "us", 1), "" if transcodes else ratio,
        _all(case, "core", 0, 100), _all(case, "rooms_per_core", 1 if transcodes else 0),
        "" if transcodes else f"{_all(case, 'p50', 2)} / {_all(case, 'p99', 1)}",
        "" if transcodes else ", ".join(_lost(run) for run in case.runs),
        f"{_median(case, 'memory') / 1e6:.2f} ({_median(case, 'memory_empty') / 1e6:.0f})",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _lost(run: dict[str, Any]) -> str:
    silent = run["streams_missing"]
    return f"{silent} streams are silent" if silent else f"{100 * run['loss']:.3f}"


def _median(case: Case, name: str) -> float:
    return float(median(run[name] for run in case.runs))


def _all(case: Case, name: str, digits: int, factor: float = 1) -> str:
    return ", ".join(f"{factor * run[name]:.{digits}f}" for run in case.runs)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
