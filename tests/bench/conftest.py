"""The browsers, the server and the relay of the browser tests."""

from tests.e2e.conftest import chromium, person, playwright, relay, site  # noqa: F401
from tests.room.conftest import patient_link, redeemed  # noqa: F401
