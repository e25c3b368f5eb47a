"""Who is asking: a verified member of staff, the bearer of a redeemed link (patient, who acts for one, guest), or a
patient, or who acts for one, who is signed in.

A browser may hold both at once (a clinician who opens a patient's link to look at it); which one
counts is decided by the page's area, never by the person's wish: see ``accounts.doors``.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.http import Http404

from accounts.models import AccessLink, Clinic, Membership, Patient, RelatedPerson, User
from accounts.policy import HANDED_OUT, Action, Role, allows

SESSION_CLINIC = "clinic"
SESSION_LINKS = "links"  # {resource id: link id}


@dataclass(frozen=True)
class Principal:
    """One person in one role in one clinic. Exactly one of ``user`` (of staff), ``link`` and ``account`` is set."""

    clinic: Clinic
    role: Role
    name: str
    user: User | None = None
    link: AccessLink | None = None
    account: User | None = None

    @property
    def role_label(self) -> str:
        return self.role.label

    @property
    def is_staff_member(self) -> bool:
        return self.user is not None

    @property
    def key(self) -> str:
        """Stable id of this person within a visit."""
        if self.account:
            return f"account:{self.account.pk}"
        return f"user:{self.user.pk}" if self.user else f"link:{self.link.pk}" if self.link else ""

    @property
    def patient(self) -> Patient | None:
        """Whose visits it is about: their own, or those of the patient for whom they act."""
        return self.account.subject if self.account else self.link.patient if self.link else None

    @property
    def bearer(self) -> Patient | RelatedPerson | None:
        """The patient, or who acts for them; None for staff and guests."""
        return self.account.bearer if self.account else self.link.bearer if self.link else None

    @property
    def language(self) -> str:
        """What they are spoken to in where no page says so; a guest in the clinic's."""
        return (self.user or self.bearer or self.clinic).language

    @property
    def acts_as(self) -> RelatedPerson | None:
        """The grant by which they act for a patient."""
        held = self.account or self.link
        return held.related_person if held else None

    def may(self, action: Action) -> bool:
        """By the role; of who acts for a patient, as far as that was granted; by the link, if staff have seen it."""
        return self._could(action) and (not self.is_handed_out or action in HANDED_OUT)

    def needs_own_link(self, action: Action) -> bool:
        """Whether only the way they came is in the way: by a link that staff have seen."""
        return self._could(action) and not self.may(action)

    @property
    def is_handed_out(self) -> bool:
        """Whether they came by a link that staff have seen."""
        return self.link is not None and self.link.is_handed_out

    def _could(self, action: Action) -> bool:
        grant = self.acts_as
        return allows(self.role, action) and (grant is None or grant.covers(action))


class OwnLinkNeeded(Http404):
    """What a link that staff have seen does not open: it takes the one that is sent to the address on file."""


def principal_of(link: AccessLink) -> Principal:
    """Who holds the link."""
    if link.related_person is not None:
        name = link.related_person.full_name
        return Principal(clinic=link.clinic, role=Role.PROXY, name=name, link=link)
    if link.patient is not None:
        return Principal(clinic=link.clinic, role=Role.PATIENT, name=link.patient.full_name, link=link)
    return Principal(clinic=link.clinic, role=Role.GUEST, name=link.name, link=link)


def verified_user(user: Any, session: Mapping[str, Any]) -> User | None:
    """The signed-in user, if the second factor was given in this session.

    ``user`` is request.user or scope["user"]; the second factor counts when the session carries a
    confirmed device of this very user (django-otp's own rule, which its middleware applies to
    HTTP only).
    """
    from django_otp import DEVICE_ID_SESSION_KEY
    from django_otp.models import Device

    if not user.is_authenticated or not user.is_active:
        return None
    device_id = session.get(DEVICE_ID_SESSION_KEY)
    device = Device.from_persistent_id(device_id) if device_id else None
    if device is None or device.user_id != user.pk or not device.confirmed:
        return None
    return cast(User, user)


def staff_principal(user: Any, session: Mapping[str, Any]) -> Principal | None:
    """The verified user (see ``verified_user``) as a member of the clinic chosen in this session, or of the first."""
    verified = verified_user(user, session)
    if verified is None or verified.is_party:
        return None
    memberships = Membership.objects.filter(user_id=verified.pk, is_active=True).select_related("clinic")
    chosen = session.get(SESSION_CLINIC)
    membership = (memberships.filter(clinic_id=chosen).first() if chosen else None) or memberships.first()
    if membership is None:
        return None
    return Principal(clinic=membership.clinic, role=Role(membership.role), name=verified.name, user=verified)


def link_principal(session: Mapping[str, Any], resource_id: uuid.UUID | str) -> Principal | None:
    """The bearer of a link to ``resource_id`` redeemed in this session, while the link is live."""
    link = _link_to(session, resource_id)
    return principal_of(link) if link is not None and link.is_live() else None


def _link_to(session: Mapping[str, Any], resource_id: uuid.UUID | str) -> AccessLink | None:
    """The link to it that was redeemed in this session last, live or not."""
    link_id = session.get(SESSION_LINKS, {}).get(str(resource_id))
    if not link_id:
        return None
    links = AccessLink.objects.select_related(*AccessLink.PEOPLE)
    return links.filter(pk=link_id, resource_id=resource_id).first()


def account_principal(user: Any, session: Mapping[str, Any]) -> Principal | None:
    """Who is signed in as a patient or to act for one: with a second factor if they have one or the clinic asks for it.

    ``user`` is request.user or scope["user"].
    """
    from accounts.mfa.services import has_factor

    if not user.is_authenticated or not user.is_party:
        return None
    account = User.objects.select_related(*User.PARTIES).filter(pk=user.pk).first()
    if account is None or account.bearer is None or not account.opens_visits():
        return None
    clinic = account.bearer.clinic
    if verified_user(user, session) is None and (clinic.patients_need_factor or has_factor(account)):
        return None
    role = Role.PROXY if account.related_person else Role.PATIENT
    return Principal(clinic=clinic, role=role, name=account.bearer.full_name, account=account)


def party_principal(user: Any, session: Mapping[str, Any], resource_id: uuid.UUID | str) -> Principal | None:
    """Who may come to ``resource_id`` as a patient or for one: by a link to it, else by their account.

    An account of the same patient goes before a link that staff have seen. Whether it is one of the account's own
    things is the question of the thing's door; that of whom they came to by a link that has ended it is not, so that
    they need a new link.
    """
    link = _link_to(session, resource_id)
    is_live = link is not None and link.is_live()
    if link is not None and is_live and not link.is_handed_out:
        return principal_of(link)
    account = account_principal(user, session)
    if account is not None and (link is None or link.patient == account.patient):
        return account
    return principal_of(link) if link is not None and is_live else None
