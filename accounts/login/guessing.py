"""What holds guesses up: of passwords, besides django-axes' count for account and address together, and of codes.

A network that is wrong with many accounts waits (spraying), but for those whose owners signed in from it lately: one
guest behind the clinic's address must not keep the clinic out. An account that many networks are wrong with has ten
passwords a minute checked for all of them, right ones too; but networks that its owner signed in from lately do not
wait for strangers, nor do passkeys. So nobody shuts the owner out: a new network waits a minute at most after the
guessing has ended. From a network that the owner knows eight of their passwords a minute are checked. Counts are in
Redis, under keyed hashes.

Codes of a second factor, which take the right password first, are guessed against a count of each network that the
owner signed in from, and against one of all others together: five wrong ones a minute, and one a minute once there
were a hundred in a day. Where nothing can be counted no code is checked; passkeys still are.

Birth dates beside a mailed code are guessed by who reads the mailbox alone: nobody else can use the ten a day up.
"""

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import limit
from accounts.audit.address import caller_network
from accounts.contact import normal_email
from accounts.models import User

NETWORK_TIMES, NETWORK_SECONDS = 100, 15 * 60
ACCOUNT_TIMES, ACCOUNT_SECONDS = 10, 60
HERE_TIMES, HERE_SECONDS = 8, 60
KNOWN_SECONDS = 90 * 24 * 3600
CODE_TIMES, CODE_SECONDS = 5, 60
CODE_DAY_TIMES, CODE_DAY_SECONDS = 100, 24 * 3600
BORN_TIMES, BORN_SECONDS = 10, 24 * 3600


class Answer(NamedTuple):
    """What becomes of a guess: whether it is checked at all, for how many seconds none is if it was wrong, and by which
    counts it was counted."""

    is_checked: bool
    seconds: int
    counts: tuple[str, ...]


def count(request: HttpRequest, email: str) -> Answer:
    """Count a guess of this account's password, before it is checked, so that parallel guesses get no more than others.

    Who is wrong where strangers would wait is to be answered as they are, or the answer tells who signs in from here.
    """
    here, network, account = _here(request, email), _network(request), _account(email)
    known, seconds = is_known(request, email), 0
    counts: tuple[str, ...] = (network, account)
    if limit.too_many(network, times=NETWORK_TIMES, seconds=NETWORK_SECONDS):
        limit.give_back(network)
        seconds, counts = NETWORK_SECONDS, ()
    elif limit.too_many(account, times=ACCOUNT_TIMES, seconds=ACCOUNT_SECONDS):
        limit.give_back(network)
        limit.give_back(account)
        seconds, counts = ACCOUNT_SECONDS, ()
    if not known:
        return Answer(not seconds, seconds, counts)
    if limit.too_many(here, times=HERE_TIMES, seconds=HERE_SECONDS):
        limit.give_back(here)
        return Answer(False, seconds or HERE_SECONDS, counts)
    if not seconds and limit.spent(here, times=HERE_TIMES):  # the last one, as django-axes answers it elsewhere
        seconds = HERE_SECONDS
    return Answer(True, seconds, (*counts, here))


def uncount(answer: Answer) -> None:
    """Take back what ``count`` counted: the password was right."""
    for name in answer.counts:
        limit.give_back(name)


def is_counted_here(request: HttpRequest, credentials: dict[str, Any] | None) -> bool:
    """Whether ``count`` alone bounds guesses from this network, and django-axes does not look at them: it would count
    those of everybody behind the address together, and lock the owner out with them."""
    return is_known(request, str((credentials or {}).get("email", "")))


def codes_must_wait(request: HttpRequest, user: User) -> int:
    """For how many seconds at most no code of this account is checked from here; 0 when one is checked now. Call it
    under a lock of the account's factors, as ``count_wrong_code``, so that parallel guesses count one after another."""
    bucket = _codes(request, user)
    times = 1 if limit.spent(f"{bucket}:day", times=CODE_DAY_TIMES) else CODE_TIMES
    return CODE_SECONDS if limit.spent(f"{bucket}:minute", times=times, unknown=True) else 0


def count_wrong_code(request: HttpRequest, user: User) -> None:
    """Note a wrong code."""
    bucket = _codes(request, user)
    limit.too_many(f"{bucket}:minute", times=CODE_TIMES, seconds=CODE_SECONDS)
    limit.too_many(f"{bucket}:day", times=CODE_DAY_TIMES, seconds=CODE_DAY_SECONDS)


def birth_dates_must_wait(email: str) -> bool:
    """Whether no birth date is checked any more for the accounts at this address."""
    return limit.spent(_born(email), times=BORN_TIMES)


def count_wrong_birth_date(email: str) -> None:
    """Note a wrong birth date beside the right code."""
    limit.too_many(_born(email), times=BORN_TIMES, seconds=BORN_SECONDS)


def know(request: HttpRequest, user: User) -> None:
    """Note that the account's owner has signed in from here, second factor and all: known for 90 days from now."""
    limit.note(_known(request, user.address, of_patient=user.bearer is not None), seconds=KNOWN_SECONDS)


def is_known(request: HttpRequest, email: str, *, of_patient: bool = False) -> bool:
    """Whether the owner has signed in from here in the last 90 days. Of staff nothing is known of patients, and the
    other way round: their page must not tell who is one."""
    return limit.spent(_known(request, email, of_patient=of_patient), times=1)


def _network(request: HttpRequest) -> str:
    return f"signin-network:{caller_network(request)}"


def _account(email: str) -> str:
    return f"signin-account:{hashed(email)}"


def _here(request: HttpRequest, email: str) -> str:
    return f"signin-here:{hashed(f'{email.lower()} {caller_network(request)}')}"


def _known(request: HttpRequest, email: str, *, of_patient: bool) -> str:
    kind = "patient" if of_patient else "staff"
    return f"signin-known-{kind}:{hashed(f'{email.lower()} {caller_network(request)}')}"


def _born(email: str) -> str:
    return f"signin-born:{hashed(normal_email(email))}"


def _codes(request: HttpRequest, user: User) -> str:
    """Which count a code is guessed against: that of a network which the owner knows, or that of all others."""
    known = is_known(request, user.address, of_patient=user.bearer is not None)
    where = f"{user.pk} {caller_network(request) if known else 'elsewhere'}"
    return f"signin-codes:{hashed(where)}"


def hashed_account(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """As what django-axes counts a try: the same for the account's owner and for whoever guesses."""
    if credentials and "email" in credentials:
        return hashed(str(credentials["email"]))
    return hashed(request.POST.get("email", "") if request else "")


def hashed(text: str) -> str:
    return salted_hmac("accounts.login.guessing", text.lower(), algorithm="sha256").hexdigest()
