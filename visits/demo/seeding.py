"""Makes the demo clinic. Everything is found by its natural key first, so that seeding again adds nothing twice."""

from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils.text import slugify

from accounts.invitations import services as invitations
from accounts.models import Clinic, Patient, Practitioner, TOTPDevice, User
from visits.checkin.models import ConsentText
from visits.demo import cast
from visits.schedule.hours import day_of
from visits.schedule.models import Availability, ScheduleException, SchedulePolicy, VisitType, Weekday
from visits.schedule.wall_clock import MIDNIGHT

AROUND_THE_CLOCK = [(day, MIDNIGHT, MIDNIGHT) for day in Weekday.values]
OFFICE_HOURS = [(day, time(8), time(17)) for day in Weekday.values if day < Weekday.SATURDAY]
LONG_HOURS = [(day, time(7), time(20)) for day in Weekday.values]


def make_clinic(about: dict[str, str], staff: list[cast.Staff]) -> Clinic:
    """A clinic with its visit types, its agreement in each language and its staff."""
    slug = slugify(about["name"]).split("-")[0]
    clinic, _ = Clinic.objects.get_or_create(slug=slug, defaults=about)
    for language, body in cast.CONSENT_TEXTS.items():
        ConsentText.objects.get_or_create(clinic=clinic, language=language, version=1, defaults={"body": body})
    for name, minutes, colour in cast.VISIT_TYPES:
        VisitType.objects.get_or_create(clinic=clinic, name=name, defaults={"minutes": minutes, "colour": colour})
    for person in staff:
        _make_staff(clinic, person)
    return clinic


def make_patients(clinic: Clinic) -> list[Patient]:
    patients = [_make_patient(clinic, number, person) for number, person in enumerate(cast.PATIENTS)]
    for patient in patients:
        if (patient.given_name, patient.family_name) == cast.WITH_ACCOUNT:
            User.objects.get_or_create(patient=patient, defaults={"language": patient.language, "password": "!"})
    return patients


def open_to_patients(clinic: Clinic) -> None:
    """Patients book by themselves, and come without an appointment; what an admin changed later stays."""
    rules = {"online_booking": True, "walk_ins": True}
    _, is_new = SchedulePolicy.objects.get_or_create(clinic=clinic, defaults=rules)
    if is_new:
        clinic.visit_types.update(booked_by=VisitType.BookedBy.PATIENT)


def make_time_off(clinic: Clinic, now: datetime) -> None:
    """Some clinicians are away at times; seeding again moves it along with the days."""
    today = day_of(clinic, now)
    for email, kind, first, last, start, end, note in cast.EXCEPTIONS:
        ScheduleException.objects.update_or_create(
            clinic=clinic,
            practitioner=clinic.practitioners.get(user__email=email),
            kind=kind,
            note=note,
            defaults={
                "first_day": today + timedelta(days=first),
                "last_day": today + timedelta(days=last),
                "start_time": time.fromisoformat(start) if start else None,
                "end_time": time.fromisoformat(end) if end else None,
            },
        )


def _make_staff(clinic: Clinic, person: cast.Staff) -> None:
    user = User.objects.filter(email=person.email).first() or User.objects.create(
        email=person.email, password=_hashed_password(), name=person.name
    )
    invitations.make_member(user=user, clinic=clinic, role=person.role)
    if person.enrolled and not TOTPDevice.objects.filter(user=user).exists():
        TOTPDevice.objects.create(user=user, name=clinic.name, confirmed=True)
    if person.practitioner:
        practitioner, is_new = Practitioner.objects.get_or_create(
            clinic=clinic, user=user, defaults={"name": person.practitioner, "specialty": person.specialty}
        )
        if is_new:
            _make_hours(practitioner, person)


@cache
def _hashed_password() -> str:
    """Made once, since making it is slow on purpose."""
    return make_password(cast.PASSWORD)


def _make_hours(practitioner: Practitioner, person: cast.Staff) -> None:
    """The clinician to try the demo with can be booked at any hour, whenever somebody tries it."""
    hours: list[tuple[Any, time, time]] = OFFICE_HOURS
    if person.email == cast.CLINICIAN:
        hours = AROUND_THE_CLOCK
    elif person.email.startswith("noor"):
        hours = LONG_HOURS
    Availability.objects.bulk_create(
        Availability(practitioner=practitioner, weekday=day, start_time=start, end_time=end)
        for day, start, end in hours
    )


def _make_patient(clinic: Clinic, number: int, person: cast.Person) -> Patient:
    who = {
        "clinic": clinic,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "birth_date": person.birth_date,
    }
    # Somebody who tries the booking page may have added another of the same name and birth date.
    known = Patient.objects.filter(**who).order_by("created_at").first()
    address = slugify(f"{person.given_name} {person.family_name}").replace("-", ".")
    return known or Patient.objects.create(
        **who,
        email=f"{address}@patients.example" if person.has_email else "",
        phone=f"(555) 010-{1000 + 37 * number % 9000:04}",
        language=person.language,
        time_zone=person.time_zone,
    )
