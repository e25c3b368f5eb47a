"""Which browser a session is of, in words. What a browser says of itself may be anything: words, never a proof."""

from django.utils.translation import gettext as _
from ua_parser import parse

# Where its name for the system says less than its owner would.
SYSTEMS = {"Mac OS X": "macOS", "iOS": "iPhone", "Chrome OS": "ChromeOS"}
# "Chrome Mobile" is what people call Chrome; an app that shows pages in a frame is called by its own name.
NOISE = ("Mobile ", " Mobile", " iOS", " WebView")


def words_for(user_agent: str) -> str:
    """Like "Firefox on Windows"; says so when a browser is not known."""
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    for noise in NOISE:
        browser = browser.replace(noise, "")
    system = found.os.family if found.os else ""
    if found.device and found.device.family == "iPad":
        system = "iPad"
    system = SYSTEMS.get(system, system)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")
