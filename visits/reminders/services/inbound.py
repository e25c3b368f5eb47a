"""Text messages from patients: one word says that they come, cancels, or ends the texts. In both languages."""

import unicodedata

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Patient, RelatedPerson
from visits.reminders.links import ANSWERABLE, is_answerable
from visits.reminders.models import Communication, InboundMessage
from visits.reminders.services import answering, preferences
from visits.reminders.texts import in_gsm, when_of
from visits.reminders.wording import Wording

Channel = Communication.Channel

CONFIRM = {"C", "1", "Y", "YES", "SI", "OK", "CONFIRM", "CONFIRMAR", "CONFIRMO"}
CANCEL = {"X", "CANCEL", "CANCELAR", "CANCELO"}
STOP = {"STOP", "ALTO", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "PARAR", "BAJA"}
START = {"START", "UNSTOP", "INICIAR", "ALTA"}


def receive(*, provider_id: str, sender: str, text: str, handled: str = "") -> str:
    """Do what a text message from ``sender`` (E.164) asks for; return our answer, empty for none.

    The same ``provider_id`` counts once. ``handled`` is STOP, START or HELP when the provider has understood and
    answered it already.
    """
    with transaction.atomic():
        _, is_new = InboundMessage.objects.get_or_create(provider_id=provider_id)
        last = _sent_to(sender).first()
        if not is_new or last is None:
            return ""
        word = handled or _word(text)
        with translation.override(last.recipient.language):
            answer = _obey(word, sender, last.patient)
    return "" if handled else in_gsm(answer)


def _obey(word: str, sender: str, patient: Patient) -> str:
    if word in STOP:
        for one in _recipients(sender):
            preferences.opt_out(one, Channel.SMS)
        return _("You get no more texts from us. START brings them back.")
    if word in START:
        for one in _recipients(sender):
            preferences.opt_in(one, Channel.SMS)
        return _("You get texts from us again. STOP ends them.")
    if word in CONFIRM | CANCEL:
        return _answer(word, sender, patient)
    return _("Reply C to confirm, X to cancel, STOP to end these texts. Questions? Call %(phone)s.") % {
        "phone": patient.clinic.phone
    }


def _answer(word: str, sender: str, patient: Patient) -> str:
    call = {"phone": patient.clinic.phone}
    message = _answerable(sender)
    if message is None:
        return _("Our last text cannot be answered, so nothing is changed. Call %(phone)s.") % call
    when = {"when": when_of(Wording(message, timezone.now()))}
    try:
        if word in CONFIRM:
            answering.confirm(message)
            return _("Thank you. We expect you on %(when)s.") % when
        answering.cancel(message)
    except answering.Closed:
        return _("The visit of our last text was changed or has begun, so nothing is changed. Call %(phone)s.") % call
    except answering.TooLate:
        return _("It is too late to cancel by text. Call %(phone)s.") % call
    return _("Your visit on %(when)s is cancelled.") % when


def _answerable(sender: str) -> Communication | None:
    """The message that this answers: the last one that the number may have got, or none if it cannot be answered.

    Never an older one: that may be about another visit. Who shares the phone has the same word of the same visit, so
    it is enough that one of them may answer.
    """
    sent = _sent_to(sender).exclude(state=Communication.State.FAILED)
    last = sent.first()
    if last is None or last.kind not in ANSWERABLE:
        return None
    same = sent.filter(appointment=last.appointment, revision=last.revision, kind__in=ANSWERABLE)
    return next((message for message in same if is_answerable(message)), None)


def _sent_to(number: str) -> QuerySet[Communication]:
    sent = Communication.objects.filter(channel=Channel.SMS, address_hash__of=number, dispatched_at__isnull=False)
    return sent.select_related("patient__clinic", "related_person__patient__clinic").order_by("-dispatched_at")


def _recipients(number: str) -> list[Patient | RelatedPerson]:
    """A family may share a phone."""
    sent = _sent_to(number).order_by()
    patients = Patient.objects.filter(pk__in=sent.filter(related_person=None).values("patient"))
    people = RelatedPerson.objects.filter(pk__in=sent.filter(related_person__isnull=False).values("related_person"))
    return [*patients.select_related("clinic"), *people.select_related("patient__clinic")]


def _word(text: str) -> str:
    """The text as one bare word: "¡Sí!" is SI."""
    plain = unicodedata.normalize("NFKD", text).upper()
    return "".join(sign for sign in plain if sign.isalnum())
