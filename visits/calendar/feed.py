"""A person's visits as a calendar that programs subscribe to (RFC 5545), at an address that is the secret.

Calendars are shared and lie on other people's servers. A clinician's says when, which type of visit and by what means,
and nothing of patients. A patient's says when, on which clocks, and by what means, and nothing of what it is about. No
link in it opens anything.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet
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
from visits.reminders import invitation
from visits.schedule.moment import Moment, of_page

TOKEN_BYTES = 32
BACK, AHEAD = timedelta(days=30), timedelta(days=180)


def practitioner_of(principal: Principal) -> Practitioner | None:
    """The person as a clinician: of staff only they have visits of their own to subscribe to."""
    return principal.clinic.practitioners.filter(user=principal.user).first()


def live_feed(principal: Principal) -> CalendarFeed | None:
    """The person's feed. Raises Http404 for a guest."""
    return CalendarFeed.objects.filter(**_whose(principal), revoked_at=None).first()


def renew(*, principal: Principal) -> str:
    """Make the person's feed, ending the one before; return its absolute URL, which cannot be had again.

    Raises Http404 for who has no visits of their own: staff who are no clinician of the clinic, and guests.
    """
    whose = _whose(principal)
    if principal.user is not None and practitioner_of(principal) is None:
        raise Http404
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        _end(principal, **whose)
        feed = CalendarFeed.objects.create(**whose, token_hash=hash_token(token))
        record("feed.issue", Audit.CREATE, principal=principal, entity=feed, patient=feed.patient)
    return settings.BASE_URL + reverse("calendar:feed-file", kwargs={"token": token})


def revoke(*, principal: Principal) -> bool:
    """End the person's feed now. Returns whether there was one. Raises Http404 for a guest."""
    return _end(principal, **_whose(principal))


def revoke_for(*, principal: Principal | None, user: User, feed: CalendarFeed) -> bool:
    """End somebody else's feed now. Returns whether it was not ended before. ``user`` may be in no clinic."""
    return _end(principal, user, pk=feed.pk)


def find(token: str) -> CalendarFeed:
    """The live feed with this token.

    Raises Http404: also when a member of staff may no longer see the clinic's visits, or takes none any more.
    """
    feeds = CalendarFeed.objects.select_related("user", "patient", "clinic").filter(revoked_at=None)
    feed = feeds.filter(token_hash=hash_token(token)).first()
    if feed is None or (feed.user is not None and not _may_see(feed.user, feed.clinic)):
        raise Http404
    return feed


def calendar(feed: CalendarFeed, *, now: datetime) -> bytes:
    """The visits from a month ago to half a year ahead, in the person's language; cancelled ones are gone.

    The same as long as no visit changes: DTSTAMP is when the visit last did.
    """
    visits = (
        _visits(feed)
        .filter(start__gte=now - BACK, start__lt=now + AHEAD)
        .exclude(status__in=[Appointment.Status.CANCELLED, Appointment.Status.NOSHOW])
        .select_related("visit_type", "clinic", "patient")
        .annotate(changed_at=Max("changes__at"))
        .order_by("start", "pk")
    )
    whole = Calendar()
    whole.add("prodid", "-//Telehealth//Visits//EN")
    whole.add("version", "2.0")
    with override(feed.language):
        whole.add("name", _("Visits, %(clinic)s") % {"clinic": feed.clinic.name})
        whole.add("x-wr-calname", _("Visits, %(clinic)s") % {"clinic": feed.clinic.name})
        whole.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
        for visit in visits:
            whole.add_component(_event(feed, visit, visit.changed_at or visit.created_at))
    return bytes(whole.to_ical())


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def last_modified(feed: CalendarFeed, *, now: datetime) -> datetime:
    """When the feed last changed, to the second: with a visit that came or went, or with the day, as time goes by."""
    if feed.user is None:
        changes = AppointmentChange.objects.filter(appointment__patient=feed.patient)
    else:
        own = feed.clinic.practitioners.filter(user=feed.user)
        changes = AppointmentChange.objects.filter(Q(practitioner__in=own) | Q(old_practitioner__in=own))
    changed: datetime | None = changes.aggregate(at=Max("at"))["at"]
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(changed or feed.created_at, feed.created_at, midnight)


def hash_token(token: str) -> str:
    """HMAC-SHA256 of the token under a key derived from SECRET_KEY: a stolen table opens nothing."""
    return salted_hmac("calendar.feed", token, algorithm="sha256").hexdigest()


def _whose(principal: Principal) -> dict[str, Any]:
    """The fields by which a feed is this person's. Raises Http404 for who has no visits of their own: guests, and who
    acts for a patient, since a feed would go on when that ends."""
    if principal.user is not None:
        return {"user": principal.user, "clinic": principal.clinic}
    if principal.patient is None or principal.acts_as is not None:
        raise Http404
    return {"patient": principal.patient, "clinic": principal.clinic}


def _visits(feed: CalendarFeed) -> QuerySet[Appointment]:
    if feed.user is None:
        return Appointment.objects.filter(clinic=feed.clinic, patient=feed.patient)
    return Appointment.objects.filter(clinic=feed.clinic, practitioner__user=feed.user)


def _event(feed: CalendarFeed, visit: Appointment, changed_at: datetime) -> Event:
    event = Event()
    event.add("uid", invitation.uid(visit))
    event.add("sequence", visit.revision)
    event.add("dtstamp", changed_at)
    event.add("dtstart", visit.start)
    event.add("dtend", visit.end)
    if feed.user is None:
        event.add("summary", invitation.title(visit))
        event.add("description", f"{_clocks(visit)}\n{invitation.how_to_join(visit)}")
        event.add("location", invitation.place(visit))
    else:
        event.add("summary", f"{visit.visit_type.name}, {visit.get_mode_display()}")
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add("class", "PRIVATE")
    return event


def _clocks(visit: Appointment) -> str:
    """When it is on the patient's clock, by name, and on the clinic's where that shows something else."""
    here = of_page(visit.start, visit.patient.time_zone or visit.clinic.time_zone)
    there = Moment(visit.start, visit.clinic.time_zone, here.language)
    words = f"{here.short_day}, {here.time} ({here.zone_name})"
    if here.is_same_clock(there):
        return words
    at_clinic = {"day": there.short_day, "time": there.time, "zone": there.zone_name}
    return f"{words}\n{_('At the clinic: %(day)s, %(time)s (%(zone)s)') % at_clinic}"


@transaction.atomic
def _end(principal: Principal | None, user: User | None = None, **which: Any) -> bool:
    feeds = CalendarFeed.objects.select_related("patient", "clinic").select_for_update(of=("self",))
    feed = feeds.filter(**which, revoked_at=None).first()
    if feed is None:
        return False
    feed.revoked_at = timezone.now()
    feed.save(update_fields=["revoked_at"])
    record(
        "feed.revoke",
        Audit.UPDATE,
        principal=principal,
        user=user,
        clinic=feed.clinic,
        entity=feed,
        patient=feed.patient,
    )
    return True


def _may_see(user: User, clinic: Clinic) -> bool:
    """Whether they are a clinician of the clinic who may see its visits."""
    membership = Membership.objects.filter(user=user, user__is_active=True, clinic=clinic, is_active=True).first()
    is_allowed = membership is not None and allows(Role(membership.role), Action.VISIT_SEE)
    return is_allowed and clinic.practitioners.filter(user=user).exists()
