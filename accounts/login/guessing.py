"""What holds guesses of passwords up, besides django-axes' count for account and address together.

A network that is wrong with many accounts waits (spraying). An account that many networks are wrong with has ten
passwords a minute checked for all of them, right ones too; but networks that its owner signed in from lately do not
wait for strangers, nor do passkeys. So nobody shuts the owner out: a new network waits a minute at most after the
guessing has ended. Counts are in Redis, under keyed hashes.
"""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import limit
from accounts.audit.address import caller_network

NETWORK_TIMES, NETWORK_SECONDS = 100, 15 * 60
ACCOUNT_TIMES, ACCOUNT_SECONDS = 10, 60
KNOWN_SECONDS = 90 * 24 * 3600


def must_wait(request: HttpRequest, email: str) -> int:
    """For how many seconds at most no password for this account is checked from here; 0 when one is checked now."""
    if limit.spent(_network(request), times=NETWORK_TIMES):
        return NETWORK_SECONDS
    if limit.spent(_account(email), times=ACCOUNT_TIMES) and not limit.spent(_known(request, email), times=1):
        return ACCOUNT_SECONDS
    return 0


def count_wrong(request: HttpRequest, email: str) -> None:
    """Note a wrong password."""
    limit.too_many(_network(request), times=NETWORK_TIMES, seconds=NETWORK_SECONDS)
    limit.too_many(_account(email), times=ACCOUNT_TIMES, seconds=ACCOUNT_SECONDS)


def know(request: HttpRequest, email: str) -> None:
    """Note that the owner has signed in from here, second factor and all."""
    limit.too_many(_known(request, email), times=1, seconds=KNOWN_SECONDS)


def _network(request: HttpRequest) -> str:
    return f"signin-network:{caller_network(request)}"


def _account(email: str) -> str:
    return f"signin-account:{_hashed(email)}"


def _known(request: HttpRequest, email: str) -> str:
    return f"signin-known:{_hashed(f'{email.lower()} {caller_network(request)}')}"


def _hashed(text: str) -> str:
    return salted_hmac("accounts.login.guessing", text.lower(), algorithm="sha256").hexdigest()
