"""Every message as the patients of a clinic get it, with a made-up visit of a made-up patient. Nothing is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Clinic, Patient, Practitioner, RelatedPerson
from accounts.proxies.services import terms_of
from visits.booking.models import Appointment
from visits.reminders import letters, links, texts
from visits.reminders.grants import Change
from visits.reminders.models import Communication
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


def previews(clinic: Clinic, language: str, *, now: datetime) -> list[Preview]:
    """One for each kind of message in ``language``; none of an offer, which names a clinician, where there is none."""
    visit = _made_up(clinic, language, now)
    clinician = Practitioner.objects.filter(clinic=clinic).first()
    return [_preview(visit, kind, now, clinician) for kind in Kind if kind != Kind.OFFER or clinician]


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


def _preview(visit: Appointment, kind: str, now: datetime, clinician: Practitioner | None) -> Preview:
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
    mail = letters.compose(message, link=link, now=now)
    sms = texts.compose(message, link=link.replace("…", "x" * 22), now=now) if kind in rules.BY_SMS else ""
    return Preview(
        code=str(kind),
        kind=str(Kind(kind).label),
        subject=str(mail.subject),
        mail=str(mail.body),
        html=str(mail.alternatives[0][0]),
        sms=sms,
        segments=texts.segments(sms) if sms else 0,
    )
