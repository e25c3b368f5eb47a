"""Credentials for the clinic's own TURN server (coturn): by it a browser behind a strict firewall reaches the relay."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.principal import Principal
from accounts.sessions.limits import limit_of
from visits.booking.models import Appointment
from visits.room.guests import VALID_AFTER_END
from visits.room.services import open_to


def servers_for(principal: Principal, visit: Appointment) -> list[dict[str, Any]]:
    """The W3C ``RTCIceServer`` list for who may be in the call now; empty for others, and where there is no server.

    The password is for this person in this visit, and good for as long as the visit may run late, at most until
    their link or a session ends; a new socket brings a new one. The server learns neither from its name ("A REST
    API For Access To TURN Services", draft-uberti-behave-turn-rest-00).
    """
    if not settings.TURN_URLS or not open_to(principal, visit):
        return []
    seat = salted_hmac("visits.room.turn", f"{visit.pk} {principal.key}", algorithm="sha256").hexdigest()[:24]
    expires = int(_until(principal, visit).timestamp())
    return [{"urls": settings.TURN_URLS, **credential(f"{expires}:{seat}", settings.TURN_SECRET)}]


def _until(principal: Principal, visit: Appointment) -> datetime:
    now = timezone.now()
    ends = [max(visit.end, now) + VALID_AFTER_END, now + limit_of(principal.user).absolute]
    return min([*ends, principal.link.expires_at] if principal.link else ends)


def credential(username: str, secret: str) -> dict[str, str]:
    """The password that coturn expects of this user name (``use-auth-secret``)."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {"username": username, "credential": base64.b64encode(digest).decode()}
