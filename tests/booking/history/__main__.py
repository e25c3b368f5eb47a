"""The long history as a command: prints how the operations ended and what is wrong."""

import tests.environment  # noqa: F401  # isort: skip - before Django reads its settings
import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")
django.setup()

from django.db import connection, connections  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from tests.booking.history.checking import check  # noqa: E402
from tests.booking.history.clients import LONGEST, Memory, run_clients  # noqa: E402
from tests.booking.history.world import World, make_world, nobody_listens  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.booking.history")
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--processes", type=int, default=4, help="over which the clients are spread")
    parser.add_argument("--clinicians", type=int, default=4)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20 * 60, help="after which no more are begun")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    world = make_world(given.clients, given.clinicians, given.days)
    begin = time.monotonic()
    with nobody_listens():
        memory = run_processes(world, given)
        took = time.monotonic() - begin
        time.sleep(LONGEST)
        wrong = check(world, memory)
    if memory.ends.total() < given.operations // given.clients * given.clients:
        wrong.append(f"cut short after {given.seconds:.0f} s")
    if memory.unanswered > memory.ends.total() / 100:
        wrong.append(f"{memory.unanswered} got no answer: the database was locked for too long")
    for end, count in sorted(memory.ends.items()):
        sys.stdout.write(f"{count:7} {end}\n")
    sys.stdout.write(
        f"{connection.vendor}, seed {given.seed}: {memory.ends.total()} operations of {given.clients} clients in "
        f"{took:.0f} s; wrong: {len(wrong)}\n"
    )
    sys.stdout.writelines(f"{words}\n" for words in wrong)
    connection.creation.destroy_test_db("unused", verbosity=0)
    return 1 if wrong else 0


def run_processes(world: World, given: argparse.Namespace) -> Memory:
    """``run_clients`` spread over processes, so that they do not wait for each other's interpreter."""
    connections.close_all()  # a child must not speak on its parent's connection
    memory, clients = Memory(), range(given.clients)
    each = given.operations // given.clients
    with ProcessPoolExecutor(given.processes, mp_context=get_context("fork")) as pool:
        groups = [clients[n :: given.processes] for n in range(given.processes)]
        parts = [pool.submit(run_clients, world, group, each, given.seed, given.seconds) for group in groups]
        for part in parts:
            memory.add(part.result())
    return memory


if __name__ == "__main__":
    raise SystemExit(main())
