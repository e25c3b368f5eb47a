"""What a mail says. First name only, no clinical word, and in the subject nothing but the time of the visit."""

from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from math import ceil
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from visits.booking.models import Appointment
from visits.reminders import invitation
from visits.reminders.models import Communication
from visits.schedule.moment import Moment

Kind = Communication.Kind
COME_EARLY = 10  # minutes


def compose(message: Communication, *, link: str, now: datetime) -> EmailMultiAlternatives:
    """The mail for ``message``, in the patient's language. ``link`` is empty for a cancellation."""
    visit = message.appointment
    with translation.override(visit.patient.language):
        at = Moment(visit.start, visit.clinic.time_zone, visit.patient.language)
        headline = _headline(message, at, now)
        context = {
            "visit": visit,
            "clinic": visit.clinic,
            "name": visit.patient.given_name,
            "language": visit.patient.language,
            "headline": headline,
            "lead": _lead(message),
            "at": at,
            "at_home": _at_home(visit, at),
            "link": link,
            "come_early": COME_EARLY if visit.start - now > timedelta(hours=1) else 0,
        }
        mail = EmailMultiAlternatives(
            subject=_subject(message, at, headline),
            body=render_to_string(f"emails/{_template(message)}.txt", context),
            from_email=formataddr((visit.clinic.name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
            to=[visit.patient.email],
            headers={
                # The same for every attempt, so that mail programs show a repeated one once.
                "Message-ID": f"<{message.pk}@{urlsplit(settings.BASE_URL).hostname}>",
                "Auto-Submitted": "auto-generated",
                "Content-Language": visit.patient.language,
            },
        )
        mail.attach_alternative(render_to_string(f"emails/{_template(message)}.html", context), "text/html")
        if message.kind == Kind.CONFIRMATION:
            mail.attach(invitation.attachment(visit, invitation.REQUEST, now=now))
        elif message.kind == Kind.CANCELLATION:
            mail.attach(invitation.attachment(visit, invitation.CANCEL, now=now))
    return mail


def _template(message: Communication) -> str:
    return "cancelled" if message.kind == Kind.CANCELLATION else "visit"


def _headline(message: Communication, at: Moment, now: datetime) -> str:
    """What is true at the moment of sending, not what was true when the message was planned."""
    if message.kind == Kind.CANCELLATION:
        return _("Your visit is cancelled")
    if message.kind == Kind.CONFIRMATION:
        return _("Your video visit is booked")
    minutes = ceil((at.instant - now) / timedelta(minutes=1))
    if minutes <= 0:
        return _("It is time for your visit")
    if message.kind == Kind.REMINDER_SOON and minutes < 60:
        return ngettext(
            "Your video visit starts in %(minutes)s minute", "Your video visit starts in %(minutes)s minutes", minutes
        ) % {"minutes": minutes}
    days = (at.date - Moment(now, at.zone, at.language).date).days
    if days == 0:
        return _("Your video visit is today")
    return _("Your video visit is tomorrow") if days == 1 else _("Your video visit is soon")


def _subject(message: Communication, at: Moment, headline: str) -> str:
    when = {"day": at.short_day, "time": at.time, "zone": at.zone_code}
    if message.kind == Kind.CANCELLATION:
        return _("Your visit on %(day)s is cancelled") % when
    if message.kind == Kind.CONFIRMATION:
        return _("Your video visit is booked for %(day)s, %(time)s %(zone)s") % when
    return f"{headline}, {at.time} {at.zone_code}"


def _lead(message: Communication) -> str:
    name = {"name": message.appointment.patient.given_name}
    if message.kind == Kind.CANCELLATION:
        return _("Hello %(name)s, this visit will not take place.") % name
    return _("Hello %(name)s, we look forward to seeing you.") % name


def _at_home(visit: Appointment, at: Moment) -> Moment | None:
    """The same instant where the patient is, when clocks differ there."""
    home = Moment(visit.start, visit.patient.time_zone or at.zone, at.language)
    return None if home.is_same_clock(at) else home
