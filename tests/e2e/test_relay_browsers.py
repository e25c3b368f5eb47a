"""Real browser pages meet through a real relay node, over the fixed-slot offer of PROTOCOL.md.

Run by itself: ``python -m pytest -m e2e tests/e2e/test_relay_browsers.py``.
"""

import functools
import http.server
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.headless import only_node
from tests.relay.conftest import SECRET, start_node
from visits.relay.client import RelayClient

pytestmark = pytest.mark.e2e

FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
    "--no-first-run",
]
FOLDER = Path(__file__).parents[1] / "relay"


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def page_url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=FOLDER))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()
    server.server_close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def relay() -> AsyncIterator[RelayClient]:
    url = os.environ["TELEHEALTH_REDIS_URL"] + "?db=8"
    node = start_node(url)
    client = RelayClient(url, SECRET)
    yield client
    await client.aclose()
    node.terminate()


async def enter(browser: Browser, url: str, relay: RelayClient, peer: str, epoch: int = 1) -> Page:
    """A page that has joined the room."""
    page = await browser.new_page()
    await page.goto(url)
    node, offer = await only_node(relay), await page.evaluate("() => makeOffer()")
    joined = await relay.join(room="room", peer=peer, epoch=epoch, sdp=offer, node=node)
    await page.evaluate("sdp => takeAnswer(sdp)", joined.sdp)
    return page


async def frames(page: Page, mid: str) -> int:
    """Decoded frames of a receiving slot."""
    return (await page.evaluate("() => inbound()"))["seen"].get(mid, {}).get("frames") or 0


async def decodes(page: Page, mid: str, more: int = 10, within: float = 10) -> None:
    """Wait until the page has decoded `more` frames of a slot."""
    start, deadline = await frames(page, mid), time.monotonic() + within
    while await frames(page, mid) < start + more:
        assert time.monotonic() < deadline, (mid, await page.evaluate("() => inbound()"))
        await page.wait_for_timeout(50)


async def test_pages_decode_each_other(browser, page_url, relay):
    ann = await enter(browser, page_url, relay, "ann")
    ben = await enter(browser, page_url, relay, "ben")
    for page in (ann, ben):
        await decodes(page, "8")
        seen = (await page.evaluate("() => inbound()"))["seen"]
        assert seen["3"]["packets"] > 10
        assert seen["8"]["lost"] == seen["3"]["lost"] == 0

    cam = await enter(browser, page_url, relay, "cam")
    for page, mids in ((cam, ("8", "9")), (ann, ("8", "9")), (ben, ("8", "9"))):
        for mid in mids:
            await decodes(page, mid)


async def test_a_reloaded_page_is_seen_in_the_same_slot(browser, page_url, relay):
    ann = await enter(browser, page_url, relay, "ann")
    ben = await enter(browser, page_url, relay, "ben")
    await decodes(ann, "8")
    async with relay.events("room") as events:
        again = await enter(browser, page_url, relay, "ben", epoch=2)
        async for event in events:
            if event.kind == "connected":
                assert (event.peer, event.epoch) == ("ben", 2)
                break
    await decodes(ann, "8")
    await decodes(again, "8")
    seen = (await ann.evaluate("() => inbound()"))["seen"]
    assert seen.get("9", {}).get("packets", 0) == 0
    # The evicted page hears the goodbye of DTLS; its connectionState would say "connected" for seconds more.
    await ben.wait_for_function("() => state.pc.getSenders()[0].transport.state === 'closed'", timeout=2000)


async def test_a_shared_screen_arrives_without_negotiation(browser, page_url, relay):
    ann = await enter(browser, page_url, relay, "ann")
    ben = await enter(browser, page_url, relay, "ben")
    await decodes(ben, "8")
    await ann.evaluate("() => shareScreen()")
    await relay.share(room="room", peer="ann", epoch=1, on=True, node=await only_node(relay))
    await decodes(ben, "13", more=5)
    await decodes(ben, "8")
