"""What we say of codes that are refused."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.mfa import services


def refusal(refused: services.WrongCode | services.MustWait, by_recovery: bool = False) -> str:
    """Why a code was refused, and what to do, in the words of the page."""
    if isinstance(refused, services.MustWait):
        return wait_words(refused.seconds)
    if by_recovery:
        return _("That recovery code did not work. Each works once. Try another one.")
    return _("That code did not work. Codes change every 30 seconds. Enter the newest one.")


def wait_words(seconds: int) -> str:
    minutes = -(-seconds // 60)
    words = ngettext(
        "Too many wrong codes. Wait %(count)d minute, then enter the newest one.",
        "Too many wrong codes. Wait %(count)d minutes, then enter the newest one.",
        minutes,
    )
    return words % {"count": minutes}


def passkey_refusal() -> str:
    return _("That passkey did not work. Try it again, or use another way.")
