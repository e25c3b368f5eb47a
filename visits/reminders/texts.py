"""A message as a text message: within two segments, and what a clinic adds, in the alphabet of the network.

3GPP TS 23.038, GSM 7 bit.
"""

import unicodedata
from datetime import datetime
from math import ceil

from django.utils import translation
from django.utils.translation import gettext as _

from visits.reminders import links
from visits.reminders.grants import GrantWording
from visits.reminders.models import Communication, MessageTemplate
from visits.reminders.wording import Wording

Kind = Communication.Kind

BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = set("^{}\\[~]|€")  # two places each
SINGLE, CHAINED = 160, 153
LONGEST_NAME = 30


def compose(message: Communication, *, link: str, now: datetime, template: MessageTemplate | None = None) -> str:
    """The text for ``message``, in its recipient's language: who writes, what is, when, the link, how to answer.

    With the words of ``template`` in place of those that the clinic has.
    """
    with translation.override(message.recipient.language):
        is_grant = message.kind == Kind.GRANT
        sentence = GrantWording(message).in_short if is_grant else _of_visit(message, now)
        own_words = "" if is_grant else (template or MessageTemplate.of(message)).text_words
        parts = [f"{_shortened(message.patient.clinic.name)}: {sentence}", own_words, link, _answers(message)]
        return in_gsm(" ".join(part for part in parts if part))


def when_of(wording: Wording) -> str:
    """When the visit is, on the clinic's clock and on the recipient's where that shows something else."""
    return wording.in_short(wording.at.instant)


def in_gsm(text: str) -> str:
    """The text in the network's alphabet: accents that it lacks are dropped, other signs become a question mark."""
    return "".join(_sign(sign) for sign in unicodedata.normalize("NFC", text))


def segments(text: str) -> int:
    """In how many parts the network carries a text of its alphabet."""
    places = sum(2 if sign in EXTENDED else 1 for sign in text)
    return 1 if places <= SINGLE else ceil(places / CHAINED)


def _of_visit(message: Communication, now: datetime) -> str:
    sentence = _sentence(Wording(message, now))
    if message.related_person is None:
        return sentence
    return _("For %(name)s: %(sentence)s") % {"name": message.patient.given_name, "sentence": sentence}


def _sentence(wording: Wording) -> str:
    when = when_of(wording)
    match wording.message.kind:
        case Kind.RUNNING_LATE | Kind.REMINDER if wording.minutes_late:
            late = {"headline": wording.headline, "minutes": wording.minutes_late}
            return _("%(headline)s: about %(minutes)s minutes.") % late
        case Kind.CLINICIAN_WAITING:
            return f"{wording.headline}."
        case Kind.CONFIRMATION | Kind.RESCHEDULE | Kind.CANCELLATION if wording.others:
            return _("%(headline)s, the first %(when)s.") % {"headline": wording.headline, "when": when}
        case Kind.OFFER if wording.until:
            kept = {"when": when, "time": f"{wording.until.time} {wording.until.zone_code}"}
            return _("An earlier time is free: %(when)s. Kept for you until %(time)s.") % kept
    return f"{wording.headline}: {when}."


def _answers(message: Communication) -> str:
    """How to answer, where there is time to; how to end these texts, in the first one of a visit."""
    found = []
    if links.to_answer(message) and not 0 < message.lead <= 60:
        found.append(_("Reply C to confirm, X to cancel."))
    if message.kind == Kind.CONFIRMATION:
        found.append(_("STOP ends these texts."))
    return " ".join(found)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}."


def _sign(sign: str) -> str:
    if sign in BASIC or sign in EXTENDED:
        return sign
    plain = unicodedata.normalize("NFKD", sign).translate({0x2019: "'", 0x2018: "'", 0x2013: "-", 0x2014: "-"})
    kept = "".join(one for one in plain if one in BASIC)
    return kept if kept or unicodedata.combining(sign) else "?"
