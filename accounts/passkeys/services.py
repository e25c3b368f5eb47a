"""Passkeys and security keys (WebAuthn): enrolled, given as second factor, or alone instead of the password.

django-otp-webauthn keeps the credentials and checks what authenticators sign, counters included. Ours is when: a
challenge belongs to one session, is for one answer, and ends after five minutes.
"""

import json
import time
from typing import Any, cast

from django.contrib.auth import login, logout
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django_otp_webauthn.exceptions import OTPWebAuthnApiError
from django_otp_webauthn.helpers import WebAuthnHelper
from django_otp_webauthn.models import WebAuthnCredential, WebAuthnUserHandle
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException

from accounts.audit import services as audit
from accounts.login.services import home_clinic
from accounts.mfa import services as mfa
from accounts.mfa.kinds import kind_of
from accounts.mfa.notices import Change, tell
from accounts.models import AuditEvent, User
from accounts.services import only_clinic
from accounts.sessions.store import SessionStore

SESSION_CHALLENGE = "passkey_challenge"
CHALLENGE_LASTS = 5 * 60  # seconds, as long as browsers are told to try
# Whatever is wrong with what a browser sent; the rest of its types are the parsers', for JSON of another shape.
MALFORMED = (WebAuthnException, OTPWebAuthnApiError, ValueError, TypeError, LookupError, AttributeError)


class Helper(WebAuthnHelper):
    """The package's, for people who have no address here: patients."""

    def get_credential_name(self, user: Any) -> str:
        return str(user.shown_as)

    def get_credential_display_name(self, user: Any) -> str:
        return str(user.shown_as if user.is_party else super().get_credential_display_name(user))


class Refused(Exception):
    """The answer is not one of a passkey that may answer here, or not to the challenge that this session was given."""


def relying_party_name(request: HttpRequest) -> str:
    """What the browser names when it asks: the clinic, where there is just one."""
    clinic = only_clinic()
    return clinic.name if clinic else "Telehealth"


def options_to_enrol(request: HttpRequest) -> dict[str, Any]:
    """What the browser needs to make a key for the signed-in user; those that they have are left out."""
    options, state = Helper(request).register_begin(cast(User, request.user))
    return _challenged(request, "enrol", options, state)


def options_to_verify(request: HttpRequest) -> dict[str, Any]:
    """What the browser needs to answer with a key: one of the signed-in user's, or for strangers any that it has.

    Who comes without a password must show the authenticator that it is them (PIN, finger, face).
    """
    user = request.user if request.user.is_authenticated else None
    options, state = Helper(request).authenticate_begin(user, require_user_verification=user is None)
    return _challenged(request, "verify" if user else "sign-in", options, state)


def enrol(*, request: HttpRequest, answer: str, name: str = "", replaces: bool = False) -> WebAuthnCredential:
    """Make the key that the browser made a second factor of the signed-in user; with ``replaces`` instead of phones.

    All other sessions end. Raises Refused; mfa.AlreadyEnrolled, mfa.SignInAnew as mfa.enrol.
    """
    user = cast(User, request.user)
    try:
        state = _take_challenge(request, "enrol")
        with transaction.atomic():
            mfa.check_may_enrol(request)
            device = Helper(request).register_complete(user, state, _parsed(answer))
            device.name = name or kind_of(device).label
            device.save(update_fields=["name"])
            if replaces:
                mfa.remove_phones(request, but=device)
            mfa.record("mfa.enrol", request, user, True, device)
            mfa.end_other_sessions(request)
            tell(user, Change.ADDED, kind_of(device))
    except (*MALFORMED, IntegrityError) as wrong:  # IntegrityError: the key is enrolled already
        mfa.record("mfa.enrol", request, user, False, detail={"kind": "passkey", "reason": _reason(wrong)})
        raise Refused from wrong
    return device


def verify(*, request: HttpRequest, answer: str) -> WebAuthnCredential:
    """Check the answer of a key of the signed-in user. Raises Refused."""
    user = cast(User, request.user)
    try:
        state = _take_challenge(request, "verify")
        with transaction.atomic():
            device = _check(request, state, answer, user)
            mfa.record("mfa.verify", request, user, True, device)
    except MALFORMED as wrong:
        mfa.record("mfa.verify", request, user, False, detail={"kind": "passkey", "reason": _reason(wrong)})
        raise Refused from wrong
    return device


def sign_in(*, request: HttpRequest, answer: str) -> User:
    """Sign in whom the key belongs to: it is both steps at once. Raises Refused."""
    try:
        state = _take_challenge(request, "sign-in")
        with transaction.atomic():
            device = _check(request, state, answer, None)
            user = cast(User, device.user)
            if request.user.is_authenticated:
                logout(request)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            mfa.enter(request, device)
            audit.record(
                "user.signin",
                AuditEvent.Action.EXECUTE,
                user=user,
                clinic=home_clinic(user),
                entity=user,
                patient=user.subject,
                request=request,
                detail={"step": "passkey"},
            )
    except MALFORMED as wrong:
        audit.record(
            "user.signin",
            AuditEvent.Action.EXECUTE,
            outcome=AuditEvent.Outcome.MINOR_FAILURE,
            request=request,
            detail={"step": "passkey", "reason": _reason(wrong)},
        )
        raise Refused from wrong
    return user


def _check(request: HttpRequest, state: dict[str, Any], answer: str, user: User | None) -> WebAuthnCredential:
    """The credential that signed the answer. Raises one of MALFORMED. Call it in a transaction."""
    data = _parsed(answer)
    # The lock comes first: of two clones that answer at once, the second one's counter is behind the first one's.
    hashed = WebAuthnCredential.get_credential_id_sha256(base64url_to_bytes(data["rawId"]))
    WebAuthnCredential.objects.select_for_update().filter(credential_id_sha256=hashed).first()
    device = Helper(request).authenticate_complete(user, state, data)
    if not device.confirmed or not device.user.is_active:
        raise ValueError("ended")
    if user is None:
        handle = base64url_to_bytes(data["response"]["userHandle"])
        if WebAuthnUserHandle.get_user_by_handle(handle) != device.user:
            raise ValueError("user-handle")
    return device


def _parsed(answer: str) -> dict[str, Any]:
    data = json.loads(answer)
    if not isinstance(data, dict):
        raise ValueError("shape")
    return data


def _reason(wrong: Exception) -> str:
    """A code for the trail: a clone is worth another look."""
    return "sign-count" if "sign count" in str(wrong) else type(wrong).__name__


def _challenged(request: HttpRequest, purpose: str, options: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    request.session[SESSION_CHALLENGE] = state | {"purpose": purpose, "at": time.time()}
    return options


def _take_challenge(request: HttpRequest, purpose: str) -> dict[str, Any]:
    """What this session was challenged with, once: of answers that come at the same moment one gets it.

    Raises ValueError when there is none, it was for something else, or too long ago.
    """
    session = cast(SessionStore, request.session)
    with transaction.atomic():
        state: dict[str, Any] = session.locked().get(SESSION_CHALLENGE, {})
        # Also where there is none any more, or the copy that this request has read would be written back.
        session.pop(SESSION_CHALLENGE, None)
        if state:
            session.save()
    if state.get("purpose") != purpose or not 0 <= time.time() - state["at"] <= CHALLENGE_LASTS:
        raise ValueError("challenge")
    return state
