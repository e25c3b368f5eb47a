"""Commands as lines of JSON over the standard streams of a server process: asked here, answered there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

LIMIT = 1 << 20  # bytes of a line


async def serve(command: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Say that all is ready, then answer each line of stdin with one on stdout, until stdin ends."""
    _write({})
    reader = asyncio.StreamReader(LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _write(await command(json.loads(line)))


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the first line, or the answer. EOFError if the process has ended."""
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    if not line:
        raise EOFError("the server has ended")
    return cast("dict[str, Any]", json.loads(line))


async def ask(process: subprocess.Popen[str], **given: Any) -> dict[str, Any]:
    """Send a line, wait for its answer. EOFError if the process has ended."""
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    return await ready(process)
