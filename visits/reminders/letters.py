"""A message as a mail, in text and HTML, with the visit as a calendar file where its time is news."""

from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from visits.reminders import invitation, links
from visits.reminders.grants import GrantWording
from visits.reminders.models import Communication, MessageTemplate
from visits.reminders.services import rules
from visits.reminders.wording import Wording

Kind = Communication.Kind
COME_EARLY = 10  # minutes
METHODS = {
    Kind.CONFIRMATION: invitation.REQUEST,
    Kind.RESCHEDULE: invitation.REQUEST,
    Kind.CANCELLATION: invitation.CANCEL,
}
# Of what comes before the visit: how to get ready for it.
BEFORE = {Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.REMINDER, Kind.FORM_MISSING, Kind.RUNNING_LATE}


def compose(
    message: Communication, *, link: str, now: datetime, template: MessageTemplate | None = None
) -> EmailMultiAlternatives:
    """The mail for ``message``, in its recipient's language. ``link`` is empty where there is nothing to open.

    With the words of ``template`` in place of those that the clinic has.
    """
    recipient, clinic = message.recipient, message.patient.clinic
    with translation.override(recipient.language):
        wording = GrantWording(message) if message.kind == Kind.GRANT else Wording(message, now)
        stop = links.to_stop(recipient, message.channel) if message.kind in rules.OPTIONAL else ""
        context = {
            "clinic": clinic,
            "language": recipient.language,
            "wording": wording,
            "headline": wording.headline,
            "lead": wording.lead,
            "stop_link": stop,
        }
        layout = "emails/grant"
        if isinstance(wording, Wording):
            layout, context = "emails/visit", context | _of_visit(message, wording, link=link, now=now)
            context["own_words"] = (template or MessageTemplate.of(message)).mail_words
        mail = EmailMultiAlternatives(
            subject=wording.subject,
            body=render_to_string(f"{layout}.txt", context),
            from_email=formataddr((clinic.name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
            to=[recipient.email],
            headers={
                # The same for every attempt, so that mail programs show a repeated one once.
                "Message-ID": f"<{message.pk}@{urlsplit(settings.BASE_URL).hostname}>",
                "Auto-Submitted": "auto-generated",
                "Content-Language": recipient.language,
            }
            | _unsubscribe(stop),
        )
        mail.attach_alternative(render_to_string(f"{layout}.html", context), "text/html")
        if isinstance(wording, Wording) and (method := METHODS.get(Kind(message.kind))):
            for visit in [message.visit, *wording.others]:
                mail.attach(invitation.attachment(visit, method, now=now, attendee=recipient))
    # What providers send back with each of their reports (django-anymail); others do not look at it.
    mail.metadata = {"message": str(message.pk)}  # type: ignore[attr-defined]
    return mail


def _of_visit(message: Communication, wording: Wording, *, link: str, now: datetime) -> dict[str, Any]:
    return {
        "acts_for": message.patient.given_name if message.related_person else "",
        "at": wording.at,
        "at_home": wording.at_home,
        "link": link,
        "answer_link": links.to_answer(message),
        "is_before": message.kind in BEFORE and bool(link),
        "is_off": message.kind in {Kind.CANCELLATION, Kind.MISSED},
        "is_to_come": message.kind in BEFORE,
        "is_summary": message.kind == Kind.SUMMARY,
        "come_early": COME_EARLY if wording.at.instant - now > timedelta(hours=1) else 0,
    }


def _unsubscribe(stop: str) -> dict[str, str]:
    """RFC 8058, for what the patient may do without; never for what becomes of the visit itself."""
    if not stop:
        return {}
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
