"""How a view says who may come in. Without one of these marks only verified staff may.

``public``      anybody: sign-in pages, the landing page of a link, health
``for_party``   the bearer of a redeemed link to the visit named in the URL (``pk``), and who is signed in to an account
``for_account`` patients, and who acts for them, who are signed in
``for_staff``   verified staff whose role allows the action
``for_verified`` anybody signed in with a second factor, in a clinic or not, and who is signed in to an account

``automatic`` opens nothing: it says that pages ask for this view by themselves.

The middleware reads the mark before the view runs, so a forgotten decorator means a closed door.
"""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse

from accounts.policy import Action
from accounts.principal import Principal

View = TypeVar("View", bound=Callable[..., HttpResponse])

MARK = "door"
AUTOMATIC = "automatic"
PUBLIC = "public"
PARTY = "party"
ACCOUNT = "account"
VERIFIED = "verified"


class PrincipalRequest(HttpRequest):
    """A request that has passed a door: for type checking of views."""

    principal: Principal


def public(view: View) -> View:
    """Open to anybody, signed in or not."""
    setattr(view, MARK, PUBLIC)
    return view


def for_party(view: View) -> View:
    """Open to who redeemed a link to the visit in the URL's ``pk``, and to who is signed in to an account; sets
    ``request.principal``. Whether the visit is theirs the view asks its door."""
    setattr(view, MARK, PARTY)
    return view


def for_account(view: View) -> View:
    """Open to patients, and who acts for them, who are signed in; sets ``request.principal``."""
    setattr(view, MARK, ACCOUNT)
    return view


def for_verified(view: View) -> View:
    """Open to who signed in with a second factor, and to who is signed in to an account: for what is one's own.

    ``request.principal`` is None outside of clinics."""
    setattr(view, MARK, VERIFIED)
    return view


def automatic(view: View) -> View:
    """Asked for by pages by themselves: no sign that anybody is there, so that a session ends all the same."""
    setattr(view, AUTOMATIC, True)
    return view


def for_staff(action: Action) -> Callable[[View], View]:
    """Open to verified staff whose role allows ``action``; sets ``request.principal``."""

    def mark(view: View) -> View:
        setattr(view, MARK, action)
        return view

    return mark
