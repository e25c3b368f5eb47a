"""A clinician's visits as a calendar that programs subscribe to (RFC 5545), at an address that is the secret.

Calendars are shared and lie on other people's servers. So it says when, which type of visit and by what means, and
nothing of patients; no link in it opens anything.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import override
from icalendar import Calendar, Event

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Clinic, Membership, Practitioner, User
from accounts.policy import Action, Role, allows
from accounts.principal import Principal
from visits.booking.models import Appointment, AppointmentChange
from visits.calendar.models import CalendarFeed
from visits.reminders.invitation import uid

TOKEN_BYTES = 32
BACK, AHEAD = timedelta(days=30), timedelta(days=180)


def practitioner_of(principal: Principal) -> Practitioner | None:
    """The person as a clinician: only they have visits of their own to subscribe to."""
    return principal.clinic.practitioners.filter(user=principal.user).first()


def live_feed(principal: Principal) -> CalendarFeed | None:
    return CalendarFeed.objects.filter(user=principal.user, clinic=principal.clinic, revoked_at=None).first()


def renew(*, principal: Principal) -> str:
    """Make the person's feed, ending the one before; return its absolute URL, which cannot be had again.

    Raises Http404 for who is no clinician of the clinic.
    """
    if principal.user is None or practitioner_of(principal) is None:
        raise Http404
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        _end(principal)
        feed = CalendarFeed.objects.create(user=principal.user, clinic=principal.clinic, token_hash=hash_token(token))
        record("feed.issue", Audit.CREATE, principal=principal, entity=feed)
    return settings.BASE_URL + reverse("calendar:feed-file", kwargs={"token": token})


def revoke(*, principal: Principal) -> bool:
    """End the person's feed now. Returns whether there was one."""
    with transaction.atomic():
        return _end(principal)


def find(token: str) -> tuple[CalendarFeed, Practitioner]:
    """The live feed with this token, and whose visits it holds.

    Raises Http404: also when the person may no longer see the clinic's visits.
    """
    feeds = CalendarFeed.objects.select_related("user", "clinic").filter(revoked_at=None)
    feed = feeds.filter(token_hash=hash_token(token)).first()
    if feed is None or not feed.user.is_active or not _may_see(feed.user, feed.clinic):
        raise Http404
    practitioner = feed.clinic.practitioners.filter(user=feed.user).first()
    if practitioner is None:
        raise Http404
    return feed, practitioner


def calendar(feed: CalendarFeed, practitioner: Practitioner, *, now: datetime) -> bytes:
    """The visits from a month ago to half a year ahead, in the person's language; cancelled ones are gone.

    The same as long as no visit changes: DTSTAMP is when the visit last did.
    """
    visits = (
        Appointment.objects.filter(practitioner=practitioner, start__gte=now - BACK, start__lt=now + AHEAD)
        .exclude(status__in=[Appointment.Status.CANCELLED, Appointment.Status.NOSHOW])
        .select_related("visit_type")
        .annotate(changed_at=Max("changes__at"))
        .order_by("start", "pk")
    )
    whole = Calendar()
    whole.add("prodid", "-//Telehealth//Visits//EN")
    whole.add("version", "2.0")
    with override(feed.user.language):
        whole.add("name", _("Visits, %(clinic)s") % {"clinic": feed.clinic.name})
        whole.add("x-wr-calname", _("Visits, %(clinic)s") % {"clinic": feed.clinic.name})
        whole.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
        for visit in visits:
            whole.add_component(_event(visit, visit.changed_at or visit.created_at))
    return bytes(whole.to_ical())


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def last_modified(feed: CalendarFeed, practitioner: Practitioner, *, now: datetime) -> datetime:
    """When the feed last changed, to the second: with a visit that came or went, or with the day, as time goes by."""
    changes = AppointmentChange.objects.filter(Q(practitioner=practitioner) | Q(old_practitioner=practitioner))
    changed: datetime | None = changes.aggregate(at=Max("at"))["at"]
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(changed or feed.created_at, feed.created_at, midnight)


def hash_token(token: str) -> str:
    """HMAC-SHA256 of the token under a key derived from SECRET_KEY: a stolen table opens nothing."""
    return salted_hmac("calendar.feed", token, algorithm="sha256").hexdigest()


def _event(visit: Appointment, changed_at: datetime) -> Event:
    event = Event()
    event.add("uid", uid(visit))
    event.add("sequence", visit.revision)
    event.add("dtstamp", changed_at)
    event.add("dtstart", visit.start)
    event.add("dtend", visit.end)
    event.add("summary", f"{visit.visit_type.name}, {visit.get_mode_display()}")
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add("class", "PRIVATE")
    return event


def _end(principal: Principal) -> bool:
    feeds = CalendarFeed.objects.select_for_update().filter(
        user=principal.user, clinic=principal.clinic, revoked_at=None
    )
    feed = feeds.first()
    if feed is None:
        return False
    feed.revoked_at = timezone.now()
    feed.save(update_fields=["revoked_at"])
    record("feed.revoke", Audit.UPDATE, principal=principal, entity=feed)
    return True


def _may_see(user: User, clinic: Clinic) -> bool:
    membership = Membership.objects.filter(user=user, clinic=clinic, is_active=True).first()
    return membership is not None and allows(Role(membership.role), Action.VISIT_SEE)
