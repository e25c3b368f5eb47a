"""Two Chromium pages in a call, and what their relay process is made of meanwhile (docs/figures.md).

``python -m tests.relay.decodes_nothing [py-spy]``: codec libraries that are mapped, threads, CPU time,
and, given the path of py-spy, where the time goes.
"""

import asyncio
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from telehealth.embedded import start_valkey, stop
from tests.headless import only_node
from tests.relay.conftest import SECRET, NodeProcess, start_node
from visits.relay.client import RelayClient

CODECS = re.compile(r"avcodec|avformat|avutil|/av/|libav|vpx|opus|x264|openh264|ffmpeg|dav1d|aom")
FLAGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
SECONDS = 10


def say(*lines: str) -> None:
    """One line each."""
    sys.stdout.write("\n".join(lines) + "\n")


def libraries(pid: int) -> set[str]:
    """The shared libraries that a process has mapped."""
    return {line.split()[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if ".so" in line}


def codecs(names: Iterable[str]) -> list[str]:
    """Those that name a codec."""
    return sorted(filter(CODECS.search, names))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def top(stacks: str, rows: int = 12) -> list[str]:
    """The innermost functions of py-spy's raw format, by samples."""
    spent: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, samples = line.rpartition(" ")
        spent[re.sub(r":\d+\)$", ")", frames.split(";")[-1])] += int(samples)
    total = sum(spent.values())
    return [f"{100 * samples / total:5.1f} %  {function}" for function, samples in spent.most_common(rows)]


def serve_page() -> str:
    """The address of page.html."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=Path(__file__).parent)
    handler.func.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/page.html"


async def enter(browser: Browser, url: str, client: RelayClient, peer: str) -> Page:
    page = await browser.new_page()
    await page.goto(url)
    node, offer = await only_node(client), await page.evaluate("() => makeOffer()")
    joined = await client.join(room="room", peer=peer, epoch=1, sdp=offer, node=node)
    await page.evaluate("sdp => takeAnswer(sdp)", joined.sdp)
    return page


async def decoded(page: Page) -> int:
    """Frames of the other's camera that the page has decoded."""
    return (await page.evaluate("() => inbound()"))["seen"].get("8", {}).get("frames") or 0


async def look(node: NodeProcess, pages: list[Page], spy: str | None) -> None:
    """Print what there is to see of a relay that serves these pages."""
    pid = node.process.pid
    frames, spent = [await decoded(page) for page in pages], cpu_seconds(pid)
    await asyncio.sleep(SECONDS)
    spent, frames = (
        cpu_seconds(pid) - spent,
        [await decoded(p) - before for p, before in zip(pages, frames, strict=True)],
    )
    mapped = libraries(pid)
    say(f"frames decoded by the two pages in {SECONDS} s: {frames}")
    say(f"codec libraries among the relay's {len(mapped)}: {len(codecs(mapped))}")
    say(f"the same search in this script, which imports aiortc whole: {len(codecs(libraries(os.getpid())))}")
    say(f"threads of the relay: {len(os.listdir(f'/proc/{pid}/task'))}")
    say(f"CPU of the relay: {100 * spent / SECONDS:.1f} % of a core")
    if spy is not None:
        with tempfile.NamedTemporaryFile("r") as raw:
            command = [spy, "record", "--pid", str(pid), "--duration", str(SECONDS), "--rate", "500", "--native"]
            command += ["--format", "raw", "--output", raw.name]
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
            stacks = raw.read()
        frames_seen = set(re.split(r"[;\n]", stacks))
        say(f"functions of codecs among the {len(frames_seen)} that py-spy saw: {len(codecs(frames_seen))}")
        say(f"innermost functions, 500 samples a second for {SECONDS} s:", *top(stacks))


async def main(spy: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="th-") as folder:
        valkey, redis_url = start_valkey(Path(folder))
        node, client = start_node(redis_url), RelayClient(redis_url, SECRET)
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                url = serve_page()
                pages = [await enter(browser, url, client, peer) for peer in ("ann", "ben")]
                while not all([await decoded(page) > 10 for page in pages]):
                    await asyncio.sleep(0.2)
                await look(node, pages, spy)
                await browser.close()
        finally:
            await client.aclose()
            node.terminate()
            stop(valkey)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
