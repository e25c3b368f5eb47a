"""Every message as the patients of a clinic get it, with a made-up visit of a made-up patient. Nothing is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Clinic, Patient, Practitioner, RelatedPerson
from accounts.proxies.services import terms_of
from visits.booking.models import Appointment
from visits.reminders import letters, links, texts
from visits.reminders.grants import Change
from visits.reminders.models import Communication, MessageTemplate
from visits.reminders.models.template import KINDS
from visits.reminders.services import rules
from visits.schedule.models import VisitType

Kind = Communication.Kind


@dataclass(frozen=True)
class Preview:
    """A kind of message: the mail in all its parts; the text message and how many it is, empty where there is none."""

    code: str
    kind: str
    subject: str
    mail: str
    html: str
    sms: str
    segments: int
    template: MessageTemplate | None  # the clinic's own words; None where it can add none

    @property
    def has_own_words(self) -> bool:
        return self.template is not None and bool(self.template.mail_words or self.template.text_words)


def previews(clinic: Clinic, language: str, *, now: datetime) -> list[Preview]:
    """One for each kind of message in ``language``; none of an offer, which names a clinician, where there is none."""
    own = {one.kind: one for one in MessageTemplate.objects.filter(clinic=clinic, language=language)}
    templates = {kind: own.get(kind, MessageTemplate(clinic=clinic, kind=kind, language=language)) for kind, _ in KINDS}
    visit = _made_up(clinic, language, now)
    clinician = Practitioner.objects.filter(clinic=clinic).first()
    kinds = [kind for kind in Kind if kind != Kind.OFFER or clinician]
    return [_preview(visit, kind, now, clinician, templates.get(kind)) for kind in kinds]


def preview_of(template: MessageTemplate, *, now: datetime) -> Preview | None:
    """How the message would look with these words, saved or not; None of an offer where there is no clinician."""
    clinician = Practitioner.objects.filter(clinic=template.clinic).first()
    if template.kind == Kind.OFFER and clinician is None:
        return None
    visit = _made_up(template.clinic, template.language, now)
    return _preview(visit, template.kind, now, clinician, template)


def _made_up(clinic: Clinic, language: str, now: datetime) -> Appointment:
    start = (now + timedelta(days=3)).replace(hour=16, minute=30, second=0, microsecond=0)
    patient = Patient(
        clinic=clinic, given_name="Rosa", family_name="Ejemplo", email="rosa@example.org", language=language
    )
    clinician = Practitioner.objects.filter(clinic=clinic).first() or Practitioner(
        clinic=clinic, name="Dr. Amara Okafor"
    )
    return Appointment(
        clinic=clinic,
        practitioner=clinician,
        patient=patient,
        visit_type=VisitType(clinic=clinic, name="", minutes=20),
        start=start,
        end=start + timedelta(minutes=20),
    )


def _preview(
    visit: Appointment, kind: str, now: datetime, clinician: Practitioner | None, template: MessageTemplate | None
) -> Preview:
    details = {
        "minutes": 20,
        "old_start": (visit.start - timedelta(days=1)).isoformat() if kind == Kind.RESCHEDULE else "",
        "start": visit.start.isoformat(),
        "until": (now + timedelta(hours=2)).isoformat(),
        "practitioner": str(clinician.pk) if clinician else "",
    }
    grant = RelatedPerson(
        patient=visit.patient, given_name="Ana", relationship="MTH", reads=True, valid_from=now.date()
    )
    if kind == Kind.GRANT:
        details |= terms_of(grant) | {"change": Change.GRANTED, "has_moved": False}
    message = Communication(
        appointment=visit,
        patient=visit.patient,
        kind=kind,
        lead=24 * 60 if kind == Kind.REMINDER else 0,
        due_at=now,
        details=details,
    )
    message.grant = grant
    link = f"{settings.BASE_URL}/v/…" if kind in links.TO_THE_VISIT or kind in settings.MESSAGE_LINKS else ""
    mail = letters.compose(message, link=link, now=now, template=template)
    sms = ""
    if kind in rules.BY_SMS:
        sms = texts.compose(message, link=link.replace("…", "x" * 22), now=now, template=template)
    return Preview(
        code=str(kind),
        kind=str(Kind(kind).label),
        subject=str(mail.subject),
        mail=str(mail.body),
        html=str(mail.alternatives[0][0]),
        sms=sms,
        segments=texts.segments(sms) if sms else 0,
        template=template,
    )
