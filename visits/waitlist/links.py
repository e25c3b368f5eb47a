"""The address of an offer: signed and stored nowhere, it opens that offer and nothing else, and acts only by POST."""

import uuid

from django.conf import settings
from django.core import signing
from django.urls import reverse

from visits.reminders.models import Communication

_signer = signing.Signer(salt="waitlist.offer")


class UnknownToken(Exception):
    """Nobody of ours signed this."""


def to_offer(message: Communication) -> str:
    """Where the patient answers the offer that the message tells of."""
    return settings.BASE_URL + path_of(uuid.UUID(message.reference))


def path_of(offer: uuid.UUID) -> str:
    """The offer's page, on this host."""
    return reverse("waitlist:offer", kwargs={"token": _signer.sign(offer.hex)})


def offered(token: str) -> uuid.UUID:
    """The offer that ``path_of`` made this for. Raises UnknownToken."""
    try:
        return uuid.UUID(_signer.unsign(token))
    except signing.BadSignature:
        raise UnknownToken from None
