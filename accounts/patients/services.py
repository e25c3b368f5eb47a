"""The account of a patient, or of who acts for one: claimed once, entered by a mailed code and the patient's birth
date, ended.

It is a ``User`` with its bearer and nothing else: sessions and second factors are those of everybody who signs in, the
address is the one that the clinic has, and what it opens is asked of the same doors as a link.
"""

from datetime import date
from typing import cast
from zoneinfo import ZoneInfo

import django_otp
from django.contrib.auth import login, logout
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import codes
from accounts.audit import services as audit
from accounts.contact import normal_email
from accounts.login import guessing
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, Patient, PatientCode, RelatedPerson, User
from accounts.patients.bearers import Bearer, column_of, patient_of
from accounts.patients.codes import accounts_at
from accounts.patients.notices import Change, tell
from accounts.policy import Action
from accounts.principal import Principal

BACKEND = "django.contrib.auth.backends.ModelBackend"


class TooManyBirthDates(Exception):
    """So many wrong birth dates were typed beside right codes that none is checked for a day."""


def account_of(bearer: Bearer) -> User | None:
    """The account of a patient, or of who acts for one, until it is ended."""
    return User.objects.select_related(*User.PARTIES).filter(**column_of(bearer), is_active=True).first()


def may_claim(principal: Principal) -> bool:
    """Whether the account of who came by a link could be made: of somebody to whom the clinic writes e-mails.

    A patient is of age, too: at a child's address a parent reads, who acts for them by a grant, with its scope and its
    end. Whose grant lets them see no visits has nothing to come to.
    """
    bearer = principal.bearer
    by_link = principal.link is not None and not principal.is_handed_out
    return by_link and bearer is not None and _may_have_one(bearer)


def _may_have_one(bearer: Bearer) -> bool:
    patient = patient_of(bearer)
    if not bearer.email or not patient.is_active:
        return False
    if isinstance(bearer, RelatedPerson):
        return bearer.is_active() and bearer.covers(Action.VISIT_SEE)
    return patient.of_age_on <= timezone.now().astimezone(ZoneInfo(patient.home_zone)).date()


def claim(*, request: HttpRequest, principal: Principal, bearer: Bearer, pk: str, code: str) -> User:
    """Make the account of ``bearer``, who holds the link and reads the mail of the address on file.

    Once: who has one already has the same. Raises codes.CodeEnded, codes.WrongCode.
    """
    with transaction.atomic():
        # Whoever claims at the same moment waits here, and finds the account that this one makes.
        bearer = type(bearer)._default_manager.select_for_update(no_key=True).get(pk=bearer.pk)
        row = codes.lock(PatientCode, pk=pk, **column_of(bearer))
        if normal_email(row.email) != normal_email(bearer.email) or not _may_have_one(bearer):
            raise codes.CodeEnded
        right = row.answer(row.is_right(code))
        if right:
            account, is_new = User.objects.get_or_create(**column_of(bearer), defaults={"password": "!"})
            if is_new or not account.is_active:
                _open(request, principal, account)
        else:
            _note_wrong("account.claim", request, row, principal=principal, patient=patient_of(bearer))
    if not right:
        raise codes.refusal(row)
    return account


def _open(request: HttpRequest, principal: Principal, account: User) -> None:
    account.is_active = True
    account.save(update_fields=["is_active"])
    audit.record(
        "account.claim",
        AuditEvent.Action.CREATE,
        principal=principal,
        entity=account,
        patient=account.subject,
        request=request,
    )
    tell(account, Change.CLAIMED)


def sign_in(*, request: HttpRequest, pk: str, code: str, birth_date: date) -> list[User]:
    """Whose accounts the code and the birth date open: mostly one, of twins or at several clinics some. Uses it up.

    As much work, and the same answer, whether nobody has an account at the address, the code is wrong or the birth
    date is. Raises codes.CodeEnded, codes.WrongCode, for either; TooManyBirthDates, to who typed the right code.
    """
    with transaction.atomic():
        row = codes.lock(PatientCode, pk=pk, patient=None, related_person=None)
        proved = row.is_right(code)
        waits = proved and guessing.birth_dates_must_wait(row.email)
        there = accounts_at(row.email)
        found = [account for account in there if account.subject and account.subject.birth_date == birth_date]
        right = row.answer(proved and bool(found) and not waits)
        if not right:
            whose = there[0].subject if len(there) == 1 else None
            _note_wrong("user.signin", request, row, patient=whose)
            if proved and not waits:
                guessing.count_wrong_birth_date(row.email)
    if waits:
        raise TooManyBirthDates
    if not right:
        raise codes.refusal(row)
    return found


def still_open(pk: str, accounts: list[str]) -> list[User]:
    """Those of ``accounts`` (ids) that the code has opened and, until it expires, opens: of which one is chosen."""
    row = PatientCode.objects.filter(pk=pk, used_at__isnull=False, expires_at__gt=timezone.now()).first()
    return [account for account in accounts_at(row.email) if str(account.pk) in accounts] if row else []


def enter(*, request: HttpRequest, account: User) -> None:
    """The first step is done: from now on the session is theirs; a second factor may still be to come."""
    bearer = account.bearer
    if bearer is None:
        raise ValueError("an account of staff")
    with transaction.atomic():
        if request.user.is_authenticated:
            logout(request)
        if account.language != bearer.language:
            account.language = bearer.language
            account.save(update_fields=["language"])
        login(request, account, backend=BACKEND)
        audit.record(
            "user.signin",
            AuditEvent.Action.EXECUTE,
            user=account,
            clinic=bearer.clinic,
            entity=account,
            patient=account.subject,
            request=request,
            detail={"step": "code"},
        )
    if not mfa.has_factor(account):  # else once that was given
        guessing.know(request, account)


def end_account(bearer: Bearer, *, why: str, principal: Principal | None, request: HttpRequest | None = None) -> bool:
    """End the account, if it is open: its sessions and open sockets, and its second factors. Whether it was.

    They may claim it again while a link of theirs is open. ``why`` is a code for the trail.
    """
    with transaction.atomic():
        account = User.objects.select_for_update().filter(**column_of(bearer), is_active=True).first()
        if account is None:
            return False
        account.is_active = False
        account.save(update_fields=["is_active"])  # which ends its sessions
        for device in list(django_otp.devices_for_user(account, confirmed=None)):
            device.delete()
        audit.record(
            "account.end",
            AuditEvent.Action.DELETE,
            principal=principal,
            clinic=bearer.clinic,
            entity=account,
            patient=patient_of(bearer),
            request=request,
            detail={"why": why},
        )
        tell(account, Change.ENDED)
        return True


def reset_factors(*, request: HttpRequest, principal: Principal, account: User, said: dict[str, str]) -> int:
    """Take all second factors of the account away; how many. ``said`` is how the desk made sure who asks."""
    with transaction.atomic():
        count = mfa.reset(account, by=cast(User, principal.user))
        audit.record(
            "mfa.reset",
            AuditEvent.Action.DELETE,
            principal=principal,
            entity=account,
            patient=account.subject,
            request=request,
            detail={"factors": count, **said},
        )
    return count


def _note_wrong(
    subtype: str,
    request: HttpRequest,
    row: PatientCode,
    *,
    patient: Patient | None,
    principal: Principal | None = None,
) -> None:
    audit.record(
        subtype,
        AuditEvent.Action.EXECUTE,
        principal=principal,
        clinic=patient.clinic if patient else None,
        entity=row,
        patient=patient,
        outcome=AuditEvent.Outcome.MINOR_FAILURE,
        request=request,
        detail={"step": "code", "wrong": row.failures},
    )
