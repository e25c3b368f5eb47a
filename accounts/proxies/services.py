"""Granting that somebody acts for a patient, changing it, ending it. 45 CFR 164.502(g)."""

from copy import copy
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.contact import normal_email
from accounts.links import services as links
from accounts.models import AuditEvent, Patient, RelatedPerson, User
from accounts.models.related_person import normal_name
from accounts.patients import services as accounts
from accounts.policy import Action
from accounts.principal import Principal
from accounts.proxies.access import grant_for, patient_for
from accounts.proxies.signals import grant_changed

Basis = RelatedPerson.Basis

ENDS_SOON = timedelta(days=60)


class AlreadyGranted(Exception):
    """This person has a grant for this patient that has not been ended: that one is to be changed."""

    def __init__(self, grant: RelatedPerson) -> None:
        super().__init__(grant.pk)
        self.grant = grant


class OfAge(Exception):
    """The patient is of age on ``since``, or before the grant would end: nobody acts for them as a parent then."""

    def __init__(self, since: date) -> None:
        super().__init__(since)
        self.since = since


class OwnGrant(Exception):
    """The person's e-mail address is, or was, that of who enters it: what they may do is for a colleague to say."""


class Ended(Exception):
    """The grant was ended: nothing of it changes any more."""


def grant(*, principal: Principal, person: RelatedPerson) -> RelatedPerson:
    """Save a new grant for ``person.patient``; without ``valid_from`` it begins today.

    A parent's ends, if not before, on the last day before the patient is of age. Raises AlreadyGranted, OfAge,
    OwnGrant, IntegrityError for what makes no sense, and Http404 for who may not.
    """
    with transaction.atomic():
        patient = patient_for(principal, person.patient.pk, Action.PROXY_CHANGE)
        # Who grants at the same moment waits here, and finds the grant that this one makes.
        Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        same = same_person(person)
        if same is not None:
            raise AlreadyGranted(same)
        person.patient, person.granted_by = patient, principal.user  # type: ignore[assignment]
        _check_not_own(person, principal)
        _fit(person)
        person.save(force_insert=True)
        _record(principal, "proxy.grant", AuditEvent.Action.CREATE, person)
        grant_changed.send(RelatedPerson, person=person, before=None)
    return person


def change(*, principal: Principal, person: RelatedPerson) -> RelatedPerson:
    """Save what was changed of a grant. Raises Ended, and what ``grant`` raises."""
    with transaction.atomic():
        before = grant_for(principal, person.pk, Action.PROXY_CHANGE, lock=True)
        if before.revoked_at is not None:
            raise Ended
        same = same_person(person)
        if same is not None:
            raise AlreadyGranted(same)
        person.patient = before.patient
        _check_not_own(before, principal)
        _check_not_own(person, principal)
        _fit(person)
        person.save(force_update=True)
        _record(principal, "proxy.change", AuditEvent.Action.UPDATE, person)
        grant_changed.send(RelatedPerson, person=person, before=before)
    return person


def end(*, principal: Principal, person: RelatedPerson) -> RelatedPerson:
    """From now on they do nothing for the patient: their links and their account end, and what they have open. Twice
    is as good as once.

    Raises Http404 for who may not.
    """
    with transaction.atomic():
        person = grant_for(principal, person.pk, Action.PROXY_CHANGE, lock=True)
        if person.revoked_at is not None:
            return person
        before = copy(person)
        person.revoked_at, person.revoked_by = timezone.now(), principal.user
        person.save(update_fields=["revoked_at", "revoked_by"])
        ended = links.revoke_of(person, principal=principal)
        accounts.end_account(person, why="grant", principal=principal)
        _record(principal, "proxy.end", AuditEvent.Action.UPDATE, person, links=ended)
        grant_changed.send(RelatedPerson, person=person, before=before)
    return person


def same_person(person: RelatedPerson) -> RelatedPerson | None:
    """Another grant for the same patient of who has this name, that was not ended."""
    grants = RelatedPerson.objects.filter(patient=person.patient, revoked_at=None).exclude(pk=person.pk)
    return grants.filter(name_hash__of=normal_name(person)).first()


def active(patient: Patient, now: datetime | None = None) -> list[RelatedPerson]:
    """Who acts for the patient now, the first granted first."""
    grants = RelatedPerson.objects.select_related("patient__clinic").filter(patient=patient, revoked_at=None)
    return [person for person in grants if person.is_active(now)]


def terms_of(person: RelatedPerson) -> dict[str, Any]:
    """What a grant says, in codes and without names: for the trail, and for what the patient is told."""
    return {
        "relationship": person.relationship,
        "basis": person.basis,
        "scopes": sorted(person.scopes),
        "messages": person.messages,
        "from": person.valid_from.isoformat(),
        "until": person.valid_until.isoformat() if person.valid_until else "",
    }


def is_own(person: RelatedPerson, user: User) -> bool:
    """Whether it is a grant of ``user`` themselves, as far as the address says."""
    return bool(person.email) and normal_email(person.email) == normal_email(user.email)


def days_left(person: RelatedPerson, now: datetime | None = None) -> int | None:
    """On how many more days they may act, today among them, where it will end soon; None where it will not."""
    if person.ends_after is None or not person.is_active(now):
        return None
    left = person.ends_after - today_of(person.patient, now) + timedelta(days=1)
    return left.days if left <= ENDS_SOON else None


def today_of(patient: Patient, now: datetime | None = None) -> date:
    """The day that it is where the patient is."""
    return (now or timezone.now()).astimezone(ZoneInfo(patient.home_zone)).date()


def _check_not_own(person: RelatedPerson, principal: Principal) -> None:
    """Raises OwnGrant."""
    if principal.user is not None and is_own(person, principal.user):
        raise OwnGrant


def _fit(person: RelatedPerson) -> None:
    """Begin today if nothing is said; end a parent's grant in time. Raises OfAge."""
    person.valid_from = person.valid_from or today_of(person.patient)
    if person.basis == Basis.MINOR:
        last_day = person.patient.of_age_on - timedelta(days=1)
        person.valid_until = person.valid_until or last_day
        if person.valid_from > last_day or person.valid_until > last_day:
            raise OfAge(person.patient.of_age_on)


def _record(
    principal: Principal, subtype: str, action: AuditEvent.Action, person: RelatedPerson, **detail: int
) -> None:
    audit.record(
        subtype,
        action,
        principal=principal,
        entity=person,
        patient=person.patient,
        detail=terms_of(person) | detail,
    )
