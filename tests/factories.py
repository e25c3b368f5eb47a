"""The smallest valid objects, each by one function."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password

from accounts.models import Clinic, Membership, Patient, Practitioner, RelatedPerson, User
from accounts.policy import Role
from visits.booking.models import Appointment, Hold
from visits.checkin.models import ConsentText
from visits.intake.models import Intake, Questionnaire, QuestionnaireItem
from visits.schedule.models import Availability, VisitType

PASSWORD = "correct horse battery staple"
_number = count(1)


def midday_zone() -> str:
    """Where it is about noon now: the whole day lies around us."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def make_clinic(**fields: Any) -> Clinic:
    n = next(_number)
    defaults = {"name": f"Clinic {n}", "slug": f"clinic-{n}", "time_zone": "America/Chicago", "phone": "(555) 010-0142"}
    clinic = Clinic.objects.create(**defaults | fields)
    for language in ("en", "es"):
        ConsentText.objects.create(clinic=clinic, language=language, version=1, body="I agree to a video visit.")
    return clinic


def make_user(**fields: Any) -> User:
    n = next(_number)
    defaults = {"email": f"user{n}@example.org", "name": f"User {n}", "password": PASSWORD}
    fields = defaults | fields
    user = User(**fields | {"password": _hashed(fields["password"])})
    user.save()
    return user


@cache
def _hashed(password: str) -> str:
    """Once for each password: a strong hash takes a quarter of a second."""
    return make_password(password)


def make_member(clinic: Clinic, role: Role, **fields: Any) -> User:
    user = make_user(**fields)
    Membership.objects.create(user=user, clinic=clinic, role=role)
    return user


def make_practitioner(clinic: Clinic, user: User | None = None, **fields: Any) -> Practitioner:
    user = user or make_member(clinic, Role.CLINICIAN)
    return Practitioner.objects.create(clinic=clinic, user=user, **{"name": f"Dr. {user.name}"} | fields)


def make_patient(clinic: Clinic, **fields: Any) -> Patient:
    n = next(_number)
    defaults = {
        "given_name": "Rosa",
        "family_name": f"Marín {n}",
        "birth_date": date(1979, 3, 14),
        "email": f"rosa{n}@example.org",
        "phone": "(555) 010-0177",
    }
    return Patient.objects.create(clinic=clinic, **defaults | fields)


def make_proxy(patient: Patient, **fields: Any) -> RelatedPerson:
    """Somebody who acts for the patient from long ago on, as the patient asked, in all that there is."""
    n = next(_number)
    defaults = {
        "given_name": "Ana",
        "family_name": f"Ruiz {n}",
        "relationship": "MTH",
        "basis": "patient",
        "email": f"ana{n}@example.org",
        "reads": True,
        "valid_from": date(2020, 1, 1),
        "granted_by": fields.pop("granted_by", None) or make_user(),
    }
    return RelatedPerson.objects.create(patient=patient, **defaults | fields)


def make_visit_type(clinic: Clinic, **fields: Any) -> VisitType:
    return VisitType.objects.create(clinic=clinic, **{"name": f"Follow-up {next(_number)}", "minutes": 20} | fields)


def make_hours(practitioner: Practitioner, weekday: int, start: str = "09:00", end: str = "17:00") -> Availability:
    return Availability.objects.create(
        practitioner=practitioner,
        weekday=weekday,
        start_time=time.fromisoformat(start),
        end_time=time.fromisoformat(end),
    )


def make_visit(practitioner: Practitioner, **fields: Any) -> Appointment:
    """A booked visit; by default each starts 20 minutes after the one made before, from 2 hours on."""
    clinic = practitioner.clinic
    start = fields.pop("start", None) or datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(
        hours=2, minutes=20 * next(_number)
    )
    visit_type = fields.pop("visit_type", None) or make_visit_type(clinic)
    defaults = {
        "clinic": clinic,
        "practitioner": practitioner,
        "patient": fields.pop("patient", None) or make_patient(clinic),
        "visit_type": visit_type,
        "start": start,
        "end": start + timedelta(minutes=visit_type.minutes),
    }
    return Appointment.objects.create(**defaults | fields)


def make_hold(practitioner: Practitioner, visit_type: VisitType, start: datetime, **fields: Any) -> Hold:
    """A held time; by default nobody's, for five minutes."""
    defaults = {"clinic": practitioner.clinic, "expires_at": datetime.now(UTC) + Hold.LASTS}
    end = start + timedelta(minutes=visit_type.minutes)
    return Hold.objects.create(
        practitioner=practitioner, visit_type=visit_type, start=start, end=end, **defaults | fields
    )


def make_questionnaire(visit_type: VisitType, *items: dict[str, Any]) -> Questionnaire:
    """A questionnaire that is asked before visits of the type; by default of one question that must be answered."""
    questionnaire = Questionnaire.objects.create(
        clinic=visit_type.clinic, title_en="Before your visit", title_es="Antes de su visita"
    )
    for place, fields in enumerate(items or ({},), 1):
        defaults = {"text_en": f"Question {place}?", "text_es": f"¿Pregunta {place}?", "required": True}
        QuestionnaireItem.objects.create(questionnaire=questionnaire, position=10 * place, **defaults | fields)
    Intake.objects.create(visit_type=visit_type, questionnaire=questionnaire)
    return questionnaire
