"""Lists of the admin, as a browser uses them."""

from typing import Any
from urllib.parse import urlencode

from django.test import Client


def find(browser: Client, address: str, words: str, **filters: str) -> Any:
    """What the search form of a list finds: the words go by POST, and the page comes after a redirect."""
    asked = f"{address}?{urlencode(filters)}" if filters else address
    return browser.post(asked, {"q": words}, follow=True)
