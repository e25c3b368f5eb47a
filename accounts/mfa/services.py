"""The second factor: TOTP (RFC 6238) from a phone, or a passkey (``accounts.passkeys``); recovery codes for when it is
lost.

Codes are checked by django-otp under the device's row lock, so that a code works once however
many requests carry it at the same time. ``accounts.login.guessing`` says when none is checked; django-otp's own
waiting, by device, is off: by it somebody with a stolen password would shut the owner out.
"""

import secrets
import time
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import cast
from urllib.parse import quote, urlencode

import django_otp
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts.audit import services as audit
from accounts.login import guessing
from accounts.login.services import home_clinic
from accounts.mfa.kinds import Kind, kind_of
from accounts.mfa.notices import Change, tell
from accounts.models import AuditEvent, TOTPDevice, User
from accounts.models.totp import TOLERANCE
from accounts.principal import verified_user
from accounts.sessions import services as sessions
from accounts.sessions.store import SessionStore

RECOVERY_CODES = 10
FRESH_FOR = timedelta(minutes=10)  # how long what proved who one is counts where much is at stake
# Without 0, 1, I, O, U: nothing that reads as something else.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
SESSION_ENTERED = "entered"  # the second step was done in this session once
SESSION_CONFIRMED = "confirmed_at"  # when a second factor was last given in this session, in Unix seconds


class WrongCode(Exception):
    """The code is wrong, used already, or too old."""


class MustWait(Exception):
    """Too many wrong codes: none is checked for ``seconds`` at most."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class AlreadyEnrolled(Exception):
    """There is a second factor already; another needs the old one first."""


class SignInAnew(Exception):
    """A patient's first factor is enrolled by who read a mailed code a moment ago, not by who finds a page open."""


class OwnFactors(Exception):
    """Nobody resets their own: who has one changes it with that, who has none is checked by somebody else."""


@dataclass(frozen=True)
class Secret:
    """A TOTP key as an authenticator app takes it: typed in, or scanned."""

    key: str  # hex, as django-otp stores it
    issuer: str
    account: str

    @property
    def base32(self) -> str:
        return b32encode(bytes.fromhex(self.key)).decode().rstrip("=")

    @property
    def groups(self) -> list[str]:
        return [self.base32[i : i + 4] for i in range(0, len(self.base32), 4)]

    @property
    def uri(self) -> str:
        """The otpauth: URI of the Key Uri Format, which the apps agree on."""
        label = quote(f"{self.issuer}:{self.account}")
        query = urlencode({"secret": self.base32, "issuer": self.issuer, "digits": 6, "period": 30}, quote_via=quote)
        return f"otpauth://totp/{label}?{query}"


def secret_for(user: User, key: str) -> Secret:
    return Secret(key=key, issuer=issuer_for(user), account=user.shown_as)


def issuer_for(user: User) -> str:
    """What the authenticator app shows: the clinic. A colon would end the name there."""
    clinic = home_clinic(user)
    return (clinic.name if clinic else "Telehealth").replace(":", "")[:64]


def phones_of(user: User) -> list[TOTPDevice]:
    return list(TOTPDevice.objects.filter(user=user, confirmed=True).order_by("pk"))


def totp_of(user: User) -> TOTPDevice | None:
    """The phone that was enrolled last."""
    return next(reversed(phones_of(user)), None)


def has_factor(user: User) -> bool:
    """Whether there is a second factor besides recovery codes."""
    return any(kind_of(device) is not Kind.RECOVERY_CODES for device in django_otp.devices_for_user(user))


def has_passkey(user: User) -> bool:
    return any(kind_of(device) in {Kind.PASSKEY, Kind.SECURITY_KEY} for device in django_otp.devices_for_user(user))


def with_factors(users: QuerySet[User]) -> QuerySet[User]:
    """Each with ``has_second_factor``, as ``has_factor`` has it."""
    kinds = [model for model in django_otp.device_classes() if model is not StaticDevice]
    found = [Q(Exists(model.objects.filter(user=OuterRef("pk"), confirmed=True))) for model in kinds]
    return users.annotate(has_second_factor=reduce(or_, found))


def recovery_of(user: User) -> StaticDevice | None:
    return StaticDevice.objects.filter(user=user, confirmed=True).order_by("pk").first()


def recovery_codes_left(user: User) -> int:
    return cast(int, StaticToken.objects.filter(device__user=user, device__confirmed=True).count())


def signed_in_by_recovery(request: HttpRequest) -> bool:
    """Whether this session's second factor was a recovery code: the phone may be gone."""
    return isinstance(getattr(request.user, "otp_device", None), StaticDevice)


def check_may_enrol(request: HttpRequest) -> None:
    """Raises AlreadyEnrolled for who has a second factor, but has not given it; SignInAnew for a patient who has none
    and signed in a while ago. Locks the user: call it in the transaction that enrols."""
    user = User.objects.select_for_update().get(pk=cast(User, request.user).pk)
    if not has_factor(user):
        if must_sign_in_anew(request):
            raise SignInAnew
    elif verified_user(request.user, request.session) is None:
        raise AlreadyEnrolled


def must_sign_in_anew(request: HttpRequest) -> bool:
    """Whether it is a party whose sign-in is too long ago for a first factor. Staff enrol theirs on their way in."""
    row = cast(SessionStore, request.session).read()
    return cast(User, request.user).is_party and (row is None or row.began_at < timezone.now() - FRESH_FOR)


def enrol(*, request: HttpRequest, key: str, code: str, replaces: bool = False) -> TOTPDevice:
    """Make ``key`` a second factor of the user once ``code`` shows that their app has it.

    With ``replaces`` it takes the place of all earlier phones. All other sessions end. Raises WrongCode;
    AlreadyEnrolled, SignInAnew.
    """
    user = cast(User, request.user)
    with transaction.atomic():
        check_may_enrol(request)
        device = TOTPDevice.objects.create(user=user, key=key, name=Kind.PHONE.label, confirmed=True)
        right = django_otp.verify_token(user, device.persistent_id, code) is not None
        if not right:
            device.delete()
        elif replaces:
            remove_phones(request, but=device)
        record("mfa.enrol", request, user, right, detail={"kind": Kind.PHONE})
        if right:
            end_other_sessions(request)
            tell(user, Change.ADDED, Kind.PHONE)
    if not right:
        raise WrongCode
    device.refresh_from_db()
    return device


def remove_phones(request: HttpRequest, but: Device) -> None:
    """What a lost phone shows opens nothing any more. Call it in the transaction that enrols ``but`` in its place."""
    for phone in phones_of(cast(User, request.user)):
        if phone != but:
            phone.delete()


def end_other_sessions(request: HttpRequest) -> None:
    """Whoever else is signed in by now signs in anew. Call it in the transaction that changes a factor."""
    own = cast(SessionStore, request.session)
    sessions.end_all(cast(User, request.user), why="factor", but=own, request=request)


def verify_totp(*, request: HttpRequest, code: str) -> TOTPDevice:
    """Check a code of one of the user's phones. Raises WrongCode, MustWait."""
    device = _phone_showing(code, phones_of(cast(User, request.user)))
    return cast(TOTPDevice, _verify(request, device, code, "mfa.verify"))


def _phone_showing(code: str, phones: list[TOTPDevice]) -> TOTPDevice | None:
    """Whose code it is, by calculation alone: to try it on each would count as a wrong code on the others."""
    for phone in phones:
        if phone.totp.verify(int(code), TOLERANCE):
            return phone
    return phones[-1] if phones else None


def verify_recovery(*, request: HttpRequest, code: str) -> StaticDevice:
    """Check a recovery code and use it up. Raises WrongCode, MustWait."""
    device = recovery_of(cast(User, request.user))
    return cast(StaticDevice, _verify(request, device, hash_recovery_code(code), "recovery-codes.use"))


def _verify(request: HttpRequest, device: Device | None, code: str, subtype: str) -> Device:
    user = cast(User, request.user)
    if device is None:
        raise WrongCode
    with transaction.atomic():
        # The lock comes first: who waits for it sees what the one before has used up, and how many were wrong.
        kind = type(device).objects.filter(user=user, confirmed=True)
        locked = {one.pk: one for one in kind.select_for_update().order_by("pk")}
        if device.pk not in locked:
            raise WrongCode
        wait = guessing.codes_must_wait(request, user)
        right = not wait and django_otp.verify_token(user, device.persistent_id, code) is not None
        if not right and not wait:
            guessing.count_wrong_code(request, user)
        record(subtype, request, user, right, device, {"reason": "throttled"} if wait else {})
        if right and isinstance(device, StaticDevice):
            tell(user, Change.CODE_USED)
    if wait:
        raise MustWait(wait)
    if not right:
        raise WrongCode
    return locked[device.pk]


def enter(request: HttpRequest, device: Device) -> None:
    """The second step is done: a new session key, and the device on the session."""
    request.session.cycle_key()
    request.session[SESSION_ENTERED] = True
    confirm(request)
    guessing.know(request, cast(User, request.user))
    django_otp.login(request, device)


def confirm(request: HttpRequest) -> None:
    """Note that a second factor was given just now (``accounts.login.stepup``)."""
    request.session[SESSION_CONFIRMED] = time.time()


def forget(request: HttpRequest) -> None:
    """The person goes on without a second factor: recovery codes are for who has one. Call it in a transaction."""
    StaticDevice.objects.filter(user=cast(User, request.user)).delete()
    for name in (SESSION_ENTERED, SESSION_CONFIRMED, django_otp.DEVICE_ID_SESSION_KEY):
        request.session.pop(name, None)


def has_lost_factor(request: HttpRequest) -> bool:
    """Whether this session's second factor was taken away since: a password given long ago enrols no other."""
    return SESSION_ENTERED in request.session and verified_user(request.user, request.session) is None


def make_recovery_codes(*, request: HttpRequest) -> list[str]:
    """Ten new codes, the only ones that work from now on. They cannot be shown again: hashes are kept.

    All other sessions end.
    """
    user = cast(User, request.user)
    by_recovery = signed_in_by_recovery(request)
    codes = [_random_code() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="Recovery codes", confirmed=True)
        StaticToken.objects.bulk_create(StaticToken(device=device, token=hash_recovery_code(code)) for code in codes)
        record("recovery-codes.make", request, user, True, detail={"codes": len(codes)})
        end_other_sessions(request)
        tell(user, Change.CODES_MADE)
    if by_recovery:
        django_otp.login(request, device)
    return codes


def reset(user: User, *, by: User) -> int:
    """Take all second factors away, so that the next sign-in enrols a new one; ends all sessions they opened, and tells
    the person.

    Call it in the transaction that audits it, with how ``by`` made sure who asks. Returns how many there were, recovery
    codes as one. Raises OwnFactors.
    """
    if user == by:
        raise OwnFactors
    devices = list(django_otp.devices_for_user(user, confirmed=None))
    for device in devices:
        device.delete()
    sessions.end_all(user, why="factor")
    tell(user, Change.RESET)
    return len(devices)


def hash_recovery_code(code: str) -> str:
    """96 bits of a keyed hash, as text of the 16 characters that django-otp stores."""
    plain = "".join(char for char in code.upper() if char.isalnum())
    return urlsafe_b64encode(salted_hmac("accounts.mfa", plain, algorithm="sha256").digest()[:12]).decode()


def _random_code() -> str:
    code = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{code[:4]}-{code[4:]}"


def record(
    subtype: str,
    request: HttpRequest,
    user: User,
    right: bool,
    device: Device | None = None,
    detail: dict[str, str | int] | None = None,
) -> None:
    """Put what became of a second factor on the trail, with its kind."""
    audit.record(
        subtype,
        AuditEvent.Action.EXECUTE,
        user=user,
        clinic=home_clinic(user),
        entity=user,
        patient=user.subject,
        outcome=AuditEvent.Outcome.SUCCESS if right else AuditEvent.Outcome.MINOR_FAILURE,
        request=request,
        detail=({"kind": kind_of(device)} if device else {}) | (detail or {}),
    )
