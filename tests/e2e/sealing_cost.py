"""``python -m tests.e2e.sealing_cost``: what end-to-end encryption costs a browser, for each frame and in CPU.

One Chromium page has a call with itself (fake camera and microphone), first with frames that pass unchanged, then
sealed and opened. The delay is the worker's own: from a frame's arrival there until it is handed on.
"""

import functools
import http.server
import os
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.e2e.test_e2ee_sframe import LOOP

ROOT = Path(__file__).parents[2]
FLAGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"]
SECONDS = 5

START = """
const [out, into] = [worker(URL_OF), worker(URL_OF)];
out.postMessage({type: "send", kid: (1n << 47n) + 1n, key: KEY});
into.postMessage({type: "receive", kid: (1n << 47n) + 1n, key: KEY});
for (const each of [out, into]) each.postMessage({type: "mode", mode: "on"});
const line = await connect(out, into);
await line.sees();
window.turn = (mode) => { for (const each of [out, into]) each.postMessage({type: "mode", mode}); };
const all = (of) => new Promise((done) => {
  of.addEventListener("message", ({data}) => done(data), {once: true});
  of.postMessage({type: "counts", id: 0});
});
window.look = async () => ({out: await all(out), into: await all(into)});
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing."""


def cpu_of(parent: int) -> float:
    """Seconds of CPU that a process and all below it have used."""
    total, children = 0.0, [parent]
    ticks = os.sysconf("SC_CLK_TCK")
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / ticks)
    while children:
        pid = children.pop()
        total += stats.get(pid, (0, 0.0))[1]
        children += [child for child, (above, _) in stats.items() if above == pid]
    return total


def figures(page: Page, mode: str) -> dict[str, Any]:
    page.evaluate("(mode) => turn(mode)", mode)
    page.wait_for_timeout(1000)
    before, used = page.evaluate("() => look()"), cpu_of(os.getpid())
    page.wait_for_timeout(1000 * SECONDS)
    after, now = page.evaluate("() => look()"), cpu_of(os.getpid())

    def more(side: str, part: str, name: str) -> float:
        return float(after[side][part][name] - before[side][part][name])

    sent = more("out", "counts", "sealed") + more("out", "counts", "passed")
    got = more("into", "counts", "opened") + more("into", "counts", "passed")
    return {
        "frames a second": round(sent / SECONDS),
        "out": more("out", "spent", "seal") / max(sent, 1),
        "in": more("into", "spent", "open") / max(got, 1),
        "longest": max(after[side]["spent"]["longest"] for side in ("out", "into")),
        "cpu": 100 * (now - used) / SECONDS,
    }


def main() -> None:
    handler = functools.partial(_Quiet, directory=ROOT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page()
        page.goto(f"http://localhost:{server.server_port}/static/js/room/e2ee/words.js")
        page.evaluate(f"async () => {{ {LOOP} {START} }}")
        sys.stdout.write("frames      a second   ms out   ms in   % of a core, whole browser\n")
        for mode, name in (("off", "unchanged"), ("on", "sealed"), ("off", "unchanged"), ("on", "sealed")):
            row = figures(page, mode)
            sys.stdout.write(
                f"{name:<11} {row['frames a second']:>8} {row['out']:>8.3f} {row['in']:>7.3f} {row['cpu']:>6.0f}\n"
            )
        sys.stdout.write(f"longest of all: {row['longest']:.1f} ms\n")
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
