"""Inviting people to work in a clinic: the one way to become a member of one.

Who invites is not told whether the address has an account. The mail's link opens no session and replaces no second
factor: who is new chooses a password by it and signs in, who has an account signs in and then joins.
"""

import secrets
from typing import cast

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac

from accounts import members
from accounts.audit import services as audit
from accounts.models import AuditEvent, Clinic, Invitation, Membership, User
from accounts.models.invitation import InvitationQuerySet, State, in_three_days
from accounts.policy import Action, Role, allows
from accounts.principal import Principal
from accounts.services import switch_clinic

TOKEN_BYTES = 32


class AlreadyMember(Exception):
    """The address is that of a member of the clinic, active or not."""


class AlreadyInvited(Exception):
    """There is an invitation of the address to the clinic that was not answered."""


class Ended(Exception):
    """The invitation is answered, withdrawn or expired, or never was."""


class SomebodyElse(Exception):
    """The invitation is not for the address of who is signed in."""


def check_may_be_invited(clinic: Clinic, email: str) -> None:
    """Raises AlreadyMember, AlreadyInvited."""
    if Membership.objects.filter(clinic=clinic, user__in=User.objects.at(email)).exists():
        raise AlreadyMember
    if Invitation.objects.unanswered().filter(clinic=clinic, email=email.lower()).exists():
        raise AlreadyInvited


def invite(
    *,
    invitation: Invitation,
    principal: Principal | None,
    user: User | None = None,
    request: HttpRequest | None = None,
    by_mail: bool = True,
) -> None:
    """Save a new invitation and, with ``by_mail``, have it sent.

    ``user`` is the superuser who acts for no clinic; neither: the command that starts a clinic. Raises AlreadyMember,
    AlreadyInvited; Http404 for who does not run that clinic.
    """
    _check_runs(principal, invitation.clinic)
    with transaction.atomic():
        invitation.email = invitation.email.lower()
        check_may_be_invited(invitation.clinic, invitation.email)
        invitation.created_by = principal.user if principal else user
        try:
            with transaction.atomic():
                invitation.save(force_insert=True)
        except IntegrityError:  # invited at the same moment
            raise AlreadyInvited from None
        _record("invitation.send", AuditEvent.Action.CREATE, invitation, principal, user, request)
        if by_mail:
            _have_mailed(invitation)


def resend(
    *,
    invitation: Invitation,
    principal: Principal | None,
    user: User | None = None,
    request: HttpRequest | None = None,
    by_mail: bool = True,
) -> None:
    """Send it anew, for another three days; the link of before opens nothing from now on. Raises Ended for one that is
    answered or withdrawn; Http404 as ``invite``."""
    _check_runs(principal, invitation.clinic)
    with transaction.atomic():
        locked = Invitation.objects.unanswered().select_for_update().filter(pk=invitation.pk)
        if not locked:
            raise Ended
        sender = principal.user if principal else user
        locked.update(token_hash=None, sent_at=None, expires_at=in_three_days(), created_by=sender)
        _record("invitation.resend", AuditEvent.Action.UPDATE, invitation, principal, user, request)
        if by_mail:
            _have_mailed(invitation)


def withdraw(
    *,
    invitation: Invitation,
    principal: Principal | None,
    user: User | None = None,
    request: HttpRequest | None = None,
) -> None:
    """End it: its link opens nothing from now on. Raises Ended for one that is answered or withdrawn; Http404 as
    ``invite``."""
    _check_runs(principal, invitation.clinic)
    with transaction.atomic():
        locked = Invitation.objects.unanswered().select_for_update().filter(pk=invitation.pk)
        if not locked:
            raise Ended
        locked.update(token_hash=None, withdrawn_at=timezone.now())
        _record("invitation.withdraw", AuditEvent.Action.UPDATE, invitation, principal, user, request)


def make_token(invitation: Invitation) -> str | None:
    """The token of an open invitation that has none yet, which cannot be had again; else None."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    without = Invitation.objects.in_state(State.OPEN).filter(pk=invitation.pk, token_hash=None)
    return token if without.update(token_hash=hash_token(token)) else None


def link_of(token: str) -> str:
    return settings.BASE_URL + reverse("accounts:invitation", kwargs={"token": token})


def mail_link(invitation: Invitation) -> None:
    """Make its link and send it, in the language of the invitation. Where the mail cannot be sent there is no link
    either. Raises OSError."""
    token = make_token(invitation)
    if token is None:
        return
    context = {"clinic": invitation.clinic, "role": Role(invitation.role), "url": link_of(token)}
    try:
        with translation.override(invitation.language):
            subject = render_to_string("emails/invitation-subject.txt", context).strip()
            body = render_to_string("emails/invitation.txt", context)
        send_mail(subject, body, None, [invitation.email])
    except OSError:
        _with_token(token).update(token_hash=None)
        raise
    _with_token(token).update(sent_at=timezone.now())


def find(token: str) -> Invitation | None:
    """The invitation with this token, whatever its state."""
    return _with_token(token).select_related("clinic").first()


def accept(*, request: HttpRequest, token: str, password: str) -> bool:
    """Make the account and its membership, with a password that was validated; signs nobody in.

    False where the address has an account: its owner signs in and joins. Of parallel calls one accepts. Raises Ended.
    """
    hashed = make_password(password)  # whether it is needed or not: the time it takes tells nothing
    with transaction.atomic():
        invitation = _locked(token)
        if User.objects.at(invitation.email).exists():
            return False
        user = User(email=invitation.email, name=invitation.name, language=invitation.language, password=hashed)
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError:  # made by another clinic's invitation at the same moment
            return False
        audit.record(
            "user.create",
            AuditEvent.Action.CREATE,
            user=user,
            clinic=invitation.clinic,
            entity=user,
            request=request,
        )
        _accept(request, invitation, user)
    return True


def join(*, request: HttpRequest, token: str, user: User) -> None:
    """Accept as somebody who has an account and gave a second factor; they work in that clinic from now on.

    Raises Ended; SomebodyElse.
    """
    with transaction.atomic():
        invitation = _locked(token)
        if user.email.lower() != invitation.email:
            raise SomebodyElse
        _accept(request, invitation, user)
        if Membership.objects.filter(user=user, clinic=invitation.clinic, is_active=True).exists():
            switch_clinic(request=request, clinic_id=str(invitation.clinic_id))


def make_member(*, user: User, clinic: Clinic, role: Role, request: HttpRequest | None = None) -> Membership:
    """Make somebody a member, if they are none, and let them into the admin if there is something for their role.

    Who was a member before stays as they were. Call it in the transaction of why.
    """
    membership, is_new = Membership.objects.get_or_create(user=user, clinic=clinic, defaults={"role": role})
    if is_new:
        audit.record(
            "membership.create",
            AuditEvent.Action.CREATE,
            user=user,
            clinic=clinic,
            entity=membership,
            request=request,
            detail={"role": str(role)},
        )
        members.let_into_admin(membership)
    return membership


def record_ended(request: HttpRequest, invitation: Invitation) -> None:
    """Put on the trail that somebody tried one that has ended."""
    audit.record(
        "invitation.accept",
        AuditEvent.Action.EXECUTE,
        clinic=invitation.clinic,
        entity=invitation,
        outcome=AuditEvent.Outcome.MINOR_FAILURE,
        request=request,
        detail={"reason": str(invitation.state())},
    )


def hash_token(token: str) -> str:
    """HMAC-SHA256 of the token under a key derived from SECRET_KEY: a stolen table opens nothing."""
    return salted_hmac("accounts.invitations", token, algorithm="sha256").hexdigest()


def _accept(request: HttpRequest, invitation: Invitation, user: User) -> None:
    role = Role(invitation.role)
    make_member(user=user, clinic=invitation.clinic, role=role, request=request)
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now(), accepted_by=user)
    audit.record(
        "invitation.accept",
        AuditEvent.Action.EXECUTE,
        user=user,
        clinic=invitation.clinic,
        entity=invitation,
        request=request,
        detail={"role": str(role)},
    )


def _locked(token: str) -> Invitation:
    """The open invitation, under its row's lock. Raises Ended; also where who sent it may invite nobody any more."""
    # Of PostgreSQL's joined tables only the invitation can and need be locked.
    rows = _with_token(token).select_related("clinic").select_for_update(of=("self",))
    invitation = rows.first()
    if invitation is None or not invitation.is_open or not _still_runs(invitation.created_by, invitation.clinic):
        raise Ended
    return invitation


def _still_runs(user: User | None, clinic: Clinic) -> bool:
    """Whether somebody may still invite to the clinic; nobody: the command that started it."""
    if user is None or (user.is_active and user.is_superuser):
        return True
    memberships = Membership.objects.filter(user=user, clinic=clinic, is_active=True, user__is_active=True)
    return any(allows(Role(membership.role), Action.CLINIC_RUN) for membership in memberships)


def _with_token(token: str) -> InvitationQuerySet:
    return Invitation.objects.filter(token_hash=hash_token(token))


def _check_runs(principal: Principal | None, clinic: Clinic) -> None:
    if principal is None or cast(User, principal.user).is_superuser:
        return
    if not principal.may(Action.CLINIC_RUN) or principal.clinic.pk != clinic.pk:
        raise Http404


def _have_mailed(invitation: Invitation) -> None:
    from accounts.invitations.tasks import mail_invitation

    transaction.on_commit(lambda: mail_invitation.delay(str(invitation.pk)), robust=True)


def _record(
    subtype: str,
    action: AuditEvent.Action,
    invitation: Invitation,
    principal: Principal | None,
    user: User | None,
    request: HttpRequest | None,
) -> None:
    audit.record(
        subtype,
        action,
        principal=principal,
        user=user,
        clinic=invitation.clinic,
        entity=invitation,
        request=request,
        detail={"role": invitation.role},
    )
