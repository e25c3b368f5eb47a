"""A mail's HTML as a page of ours may show it in a frame, under a policy that allows neither inline styles nor others'.

Mails have their styles at each element, since mail programs want them there. Here they stand in the mail's one sheet,
which the policy names by its hash (CSP level 3, section 8).
"""

import re
from base64 import b64encode
from hashlib import sha256

from csp.constants import NONE, SELF
from django.http import HttpResponse

INLINE = re.compile(r' style="([^"]*)"')
SHEET = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def framed(html: str) -> HttpResponse:
    """The answer for a frame of our own pages: no script, no other host, no way out of the frame."""
    rules: dict[str, str] = {}
    html = INLINE.sub(lambda found: f' data-style="{rules.setdefault(found[1], str(len(rules)))}"', html)
    # Before the mail's own, as what stands at an element gives way to what is important.
    sheet = "".join(f'[data-style="{name}"]{{{rule}}}' for rule, name in rules.items())
    html = SHEET.sub(lambda found: f"<style>{sheet}{found[1]}</style>", html, count=1)
    own = SHEET.search(html)
    digest = b64encode(sha256(own[1].encode()).digest()).decode() if own else ""
    response = HttpResponse(html)
    response._csp_replace = {  # type: ignore[attr-defined]
        "style-src": [f"'sha256-{digest}'"],
        "script-src": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": [],
    }
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response
