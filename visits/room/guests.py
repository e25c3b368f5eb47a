"""The third person in a visit: an interpreter, a relative, a student, who comes by a link of their own."""

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.links import services as links
from accounts.models import AccessLink
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.live import events
from visits.room import media, presence
from visits.room.models import Seat
from visits.room.services import PLACES, NotOpen

MOST_GUESTS = PLACES - 2  # a patient and a clinician
VALID_AFTER_END = timedelta(hours=2)


class TooManyGuests(Exception):
    """Every seat for guests is promised already."""


def guest_links(visit: Appointment) -> QuerySet[AccessLink]:
    """The guest links ever made for the visit, newest first."""
    return AccessLink.objects.filter(resource_id=visit.pk, kind=AccessLink.Kind.GUEST).order_by("-created_at")


def invite_guest(*, principal: Principal, visit: Appointment, name: str, relationship: str) -> tuple[AccessLink, str]:
    """Make a link that lets one more person into this visit; its address is shown this once.

    Raises NotOpen when the visit is over, TooManyGuests, Http404 for who may not invite.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_INVITE, lock=True)
        if not visit.is_open:
            raise NotOpen
        if sum(link.is_live() for link in guest_links(visit)) >= MOST_GUESTS:
            raise TooManyGuests
        link, address = links.issue(
            kind=AccessLink.Kind.GUEST,
            clinic=visit.clinic,
            resource_id=visit.pk,
            expires_at=max(visit.end, timezone.now()) + VALID_AFTER_END,
            name=name,
            relationship=relationship,
            created_by=principal.user,
        )
        record("visit.invite", Audit.CREATE, principal=principal, entity=link, patient=visit.patient)
        return link, address


def revoke_guest(*, principal: Principal, visit: Appointment, link_id: uuid.UUID) -> None:
    """Take a guest's link back and send the guest out of the call. Repeating changes nothing.

    Raises AccessLink.DoesNotExist for a link that is not a guest's of this visit, Http404 for who may not.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_INVITE, lock=True)
        link = guest_links(visit).get(pk=link_id)
        if link.revoked_at is not None:
            return
        links.revoke(principal=principal, link=link)
        for seat in Seat.objects.filter(link=link).select_related("encounter"):
            presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.REMOVED)
            media.leave_on_commit(seat.encounter, seat.pk, seat.epoch)
        record("visit.uninvite", Audit.DELETE, principal=principal, entity=link, patient=visit.patient)
        events.visit_changed(visit.pk)


def shown_links(visit: Appointment) -> list[tuple[AccessLink, str]]:
    """The guest links of the visit with what has become of each: "live", "used", "revoked" or "expired"."""
    return [(link, _state(link)) for link in guest_links(visit)]


def _state(link: AccessLink) -> str:
    if link.revoked_at is not None:
        return "revoked"
    if not link.is_live():
        return "expired"
    return "used" if link.first_used_at else "live"
