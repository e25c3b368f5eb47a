"""The whole comparison: runs each case some times, in turns, and prints a table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.relay.report import Case, put_into, table
from tests.bench.relay.servers import ROOT, SERVERS, server_class

VISITS = (20, 60)  # for all that forward
ALONE = (100, 150)  # for ours
MANY = {3: 20, 4: 10, 6: 4}  # rooms by people: each with as many packets to forward as 60 visits of two
IN_MANY = ("batched", "floor", "pion", "janus")
PATIENCE = 120  # seconds for a run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay")
    parser.add_argument("--only", type=_names, default=list(SERVERS), help="servers: " + ", ".join(SERVERS))
    parser.add_argument("--visits", type=_numbers, help="so many two-person visits, such as 20,60, and nothing else")
    parser.add_argument("--people", type=_numbers, help="visits of so many, such as 3,4,6, and nothing else")
    parser.add_argument("--seconds", type=float, default=5, help="of each window")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--gap", type=int, default=0, help="microseconds between two packets of a frame: 0 as browsers "
                        "let them out, 1000 as they come through an uplink of 10 Mbit/s")  # fmt: skip
    parser.add_argument("--into", type=Path, help="a document whose table is to be replaced: docs/figures.md")
    parser.add_argument("--json", type=Path, help="where to write all figures of all runs")
    given = parser.parse_args()
    cases = list(_cases([name for name in given.only if _installed(name)], given.visits, given.people))
    _tell(f"{given.rounds} rounds of {len(cases)} runs; load of the machine before: {os.getloadavg()[0]:.1f}")
    for turn in range(given.rounds):
        _round(cases, turn, given.seconds, given.gap)
    text = table(cases, given.gap)
    print(text)
    if given.into:
        put_into(given.into, text)
    if given.json:
        given.json.write_text(json.dumps([vars(case) for case in cases], indent=1))


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SERVERS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _installed(name: str) -> bool:
    """Whether the server is there, and then ready to be started."""
    missing = server_class(name).missing()
    if missing:
        _tell(f"{name}: not installed ({missing})")
    else:
        server_class(name).prepare()
    return not missing


def _cases(names: Sequence[str], visits: Sequence[int] | None, people: Sequence[int] | None) -> Iterable[Case]:
    if visits is not None or people is not None:
        yield from (Case(name, number, 2) for number in visits or () for name in names)
        yield from (Case(name, MANY[number], number) for number in people or () for name in names)
        return
    for name in names:
        if server_class(name).transcodes:
            yield Case(name, 1, 2)  # more than one is too much for it
    yield from (Case(name, number, 2) for number in VISITS for name in names if not server_class(name).transcodes)
    yield from (Case(name, number, 2) for number in ALONE for name in names if name == "batched")
    yield from (Case(name, MANY[number], number) for number in MANY for name in names if name in IN_MANY)


def _round(cases: list[Case], turn: int, seconds: float, gap: int) -> None:
    start = turn * len(cases) // 2  # another order in every round
    for number, case in enumerate(cases[start:] + cases[:start], 1):
        words = f"round {turn + 1}, {number} of {len(cases)}: {case.server}, {case.rooms} rooms of {case.people}: "
        command = [sys.executable, "-m", "tests.bench.relay.run", case.server, "--rooms", str(case.rooms)]
        command += ["--people", str(case.people), "--seconds", str(seconds), "--gap", str(gap)]
        begun = time.monotonic()
        try:
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        except subprocess.SubprocessError as error:
            _tell(words + str(error))
            continue
        result = json.loads(done.stdout)
        case.runs.append(result)
        _tell(
            f"{words}{result['us']:.1f} µs, p99 {result['p99'] or 0:.1f} ms, "
            f"generator {100 * result['load_core']:.0f} % of its core, {time.monotonic() - begun:.0f} s"
        )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
