"""Real browsers against the real server: one server a test, one relay, a browser of their own for each person.

``person("Rosa", colour="blue", tone=600)`` opens a browser whose camera shows that colour and whose microphone
hears that tone, so that a test can tell whose picture and sound arrive where.
"""

import os
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from telehealth.embedded import stop
from telehealth.launcher import local_relay
from tests.e2e import calls, media
from tests.e2e.firefox import Firefox, binary
from tests.room.relay_process import start_relay

# Sync Playwright runs a loop in this thread, in which the ORM is called all the same.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# What comes comes soon; a machine that is busy with other things may take longer, and that is no failure.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

FAILURES = settings.BASE_DIR / ".data" / "test-failures"
FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
]


def note(*parts: object) -> None:
    """Into the output that pytest shows with a failure."""
    sys.stdout.write(" ".join(map(str, parts)) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    setattr(item, f"report_{report.when}", report)
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    return path


class Relay:
    """The one relay node, at the address of the demo's: there Firefox finds it as it is installed."""

    address = local_relay().get("PUBLIC_IP", "127.0.0.1")

    def __init__(self) -> None:
        self.start()

    def start(self, *command: str) -> None:
        self.process = start_relay(command=command, as_in_demo=True)

    def restart(self) -> None:
        """As when its machine loses power."""
        self.process.kill()
        self.process.wait()
        self.start()


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    node = Relay()
    yield node
    stop(node.process)


@pytest.fixture
def site(transactional_db: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a running Telehealth with the test's database."""
    from telehealth.asgi import application

    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://localhost:{listener.getsockname()[1]}"
    monkeypatch.setattr(settings, "BASE_URL", address)
    settings.SOCKET_ORIGINS.append(address)  # the list that the Origin check holds
    application.application_mapping["http"] = ASGIStaticFilesHandler(_http(application))
    config = uvicorn.Config(application, log_level="warning", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    yield address
    server.should_exit = True
    server.force_exit = True
    thread.join(10)
    settings.SOCKET_ORIGINS.remove(address)


def _http(application: Any) -> Any:
    handler = application.application_mapping["http"]
    return handler.application if isinstance(handler, ASGIStaticFilesHandler) else handler


@pytest.fixture
def playwright() -> Iterator[Playwright]:
    """One for each test: its loop must be gone when an asyncio test follows."""
    with sync_playwright() as instance:
        yield instance


@pytest.fixture
def person(
    playwright: Playwright, chromium: str, site: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """``person(name, colour=…, tone=…, **context)``: a page in a browser of their own. Pictures are kept on failure."""
    opened: list[tuple[str, Browser, Page]] = []

    def open_browser(
        name: str,
        *,
        colour: str = "green",
        tone: int = 440,
        lively: bool = False,
        ask: bool = False,
        executable: str = chromium,
        **context: Any,
    ) -> Page:
        flags = [*FLAGS, *media.flags(tmp_path, name, colour, tone, lively=lively)]
        if ask:
            flags.remove("--use-fake-ui-for-media-stream")
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        options = {"base_url": site, "viewport": {"width": 1440, "height": 900}, "locale": "en-US", **context}
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(PATIENCE)
        for script in (media.KEEP_SOCKETS, calls.KEEP_CONNECTIONS):
            page.add_init_script(script)
        page.on("pageerror", lambda error: note(name, error))
        page.on("console", lambda message: message.type == "error" and note(name, message.text))
        opened.append((name, browser, page))
        return page

    yield open_browser
    for name, browser, page in opened:
        if not page.is_closed():
            keep_picture(request, name, page)
        browser.close()


@pytest.fixture
def firefox(site: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Firefox]]:
    """``firefox(name, tone=…)``: as ``person``; its camera shows the colours that Firefox's own shows."""
    if binary() is None:
        pytest.skip("Firefox is not installed")
    opened: list[tuple[str, Firefox]] = []

    def open_browser(name: str, **options: Any) -> Firefox:
        page = Firefox(site, **options)
        opened.append((name, page))
        page.on_error(lambda text: note(name, text))
        for script in (media.KEEP_SOCKETS, calls.KEEP_CONNECTIONS):
            page.add_init_script(script)
        return page

    yield open_browser
    for name, page in opened:
        keep_picture(request, name, page)
        page.close()


def keep_picture(request: pytest.FixtureRequest, name: str, page: Page | Firefox) -> None:
    """What the page of a failed test looked like."""
    report = getattr(request.node, "report_call", None)
    if report is None or not report.failed:
        return
    FAILURES.mkdir(parents=True, exist_ok=True)
    place = FAILURES / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}-{name}.png"
    page.screenshot(path=place)
    note(name, page.url, place)
