"""The visit as a calendar file that mail programs understand (RFC 5545, RFC 5546 iTIP, RFC 6047 iMIP)."""

from datetime import datetime
from email.mime.text import MIMEText
from email.utils import parseaddr
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vCalAddress, vText

from accounts.models import Patient, RelatedPerson
from visits.booking.models import Appointment
from visits.schedule.models import VisitType

REQUEST = "REQUEST"
CANCEL = "CANCEL"
PUBLISH = "PUBLISH"  # for a file that somebody takes by themselves


def calendar(
    visit: Appointment,
    method: str,
    *,
    now: datetime,
    sequence: int | None = None,
    attendee: Patient | RelatedPerson | None = None,
) -> bytes:
    """The visit as an iCalendar object of ``method``, in the language of the moment.

    UID never changes in the life of the visit and SEQUENCE is its revision, so that a calendar takes
    whatever is newest, in whichever order mails arrive. ``attendee`` is who is asked: the
    patient, unless said. Times are UTC: no zone table can be wrong.
    It holds no link that lets anybody in, since calendars are shared, and no word about the reason.
    """
    event = Event()
    event.add("uid", uid(visit))
    event.add("sequence", visit.revision if sequence is None else sequence)
    event.add("dtstamp", now)
    event.add("dtstart", visit.start)
    event.add("dtend", visit.end)
    event.add("summary", title(visit))
    event.add("description", _("This visit is cancelled.") if method == CANCEL else how_to_join(visit))
    event.add("location", place(visit))
    event.add("status", "CANCELLED" if method == CANCEL else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if method == CANCEL else "OPAQUE")
    event.add("class", "PRIVATE")
    event["organizer"] = _person(parseaddr(settings.DEFAULT_FROM_EMAIL)[1], visit.clinic.name)
    if method != PUBLISH:  # RFC 5546 §3.2.1: nobody is asked
        event.add("attendee", _attendee(attendee or visit.patient), encode=False)
    whole = Calendar()
    whole.add("prodid", "-//Telehealth//Visits//EN")
    whole.add("version", "2.0")
    whole.add("method", method)
    whole.add_component(event)
    return bytes(whole.to_ical())


def attachment(
    visit: Appointment,
    method: str,
    *,
    now: datetime,
    sequence: int | None = None,
    attendee: Patient | RelatedPerson | None = None,
) -> MIMEText:
    """``calendar`` as a part of a mail, its method named in the content type too (RFC 6047 §2.4)."""
    text = calendar(visit, method, now=now, sequence=sequence, attendee=attendee).decode()
    part = MIMEText(text, "calendar", "utf-8")
    part.set_param("method", method)
    part.add_header("Content-Disposition", "attachment", filename="visit.ics")
    return part


def uid(visit: Appointment) -> str:
    return f"{visit.pk}@{urlsplit(settings.BASE_URL).hostname}"


def title(visit: Appointment) -> str:
    """What a patient's calendar calls it."""
    by_phone = visit.mode == VisitType.Mode.PHONE
    words = _("Phone visit, %(clinic)s") if by_phone else _("Video visit, %(clinic)s")
    return words % {"clinic": visit.clinic.name}


def place(visit: Appointment) -> str:
    return _("By phone") if visit.mode == VisitType.Mode.PHONE else _("Online")


def how_to_join(visit: Appointment) -> str:
    if visit.mode == VisitType.Mode.PHONE:
        return _("We call you.")
    return _(
        "To join, open the link in your mail from %(clinic)s. It is for you alone, so it is not in this calendar."
    ) % {"clinic": visit.clinic.name}


def _attendee(person: Patient | RelatedPerson) -> vCalAddress:
    attendee = _person(person.email, person.given_name)
    attendee.params["role"] = vText("REQ-PARTICIPANT")
    attendee.params["partstat"] = vText("NEEDS-ACTION")
    attendee.params["rsvp"] = vText("FALSE")
    return attendee


def _person(address: str, name: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{address}")
    person.params["cn"] = vText(name)
    return person
