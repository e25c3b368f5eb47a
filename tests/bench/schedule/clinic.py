"""A clinic of fifty: one has a year behind them of which every time was taken, all have weeks to come, half taken."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import Practitioner
from tests import factories
from visits.booking.models import Appointment
from visits.schedule.models import VisitType

ZONE = ZoneInfo("America/Chicago")
OPENS, CLOSES, MINUTES = time(9), time(17), 30
CLINICIANS, YEAR, MONTH = 50, timedelta(days=364), timedelta(days=31)
WEEK = timedelta(days=7)


def days(first_day: date, last_day: date) -> Iterator[date]:
    return (first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1))


def make_clinic(today: date) -> tuple[list[Practitioner], VisitType]:
    """Nine to five, Monday to Friday, in visits of half an hour."""
    clinic = factories.make_clinic(time_zone=ZONE.key)
    visit_type = factories.make_visit_type(clinic, minutes=MINUTES)
    people = [factories.make_practitioner(clinic) for _ in range(CLINICIANS)]
    for one in people:
        for weekday in range(5):
            factories.make_hours(one, weekday, f"{OPENS:%H:%M}", f"{CLOSES:%H:%M}")
        fill(one, visit_type, today - (YEAR if one is people[0] else WEEK), today + MONTH, today)
    return people, visit_type


def fill(practitioner: Practitioner, visit_type: VisitType, first: date, last: date, today: date) -> None:
    # One patient for each time of a day: triggers look through the visits of the patient too.
    patients = [factories.make_patient(practitioner.clinic) for _ in range(16)]
    length, chance = timedelta(minutes=MINUTES), random.Random(str(practitioner.name))
    visits = []
    for day in days(first, last):
        opens = datetime.combine(day, OPENS, tzinfo=ZONE).astimezone(UTC)
        for n, patient in enumerate(patients if day.weekday() < 5 else ()):
            if day <= today or chance.random() < 0.5:
                start = opens + n * length
                visits.append(
                    Appointment(
                        clinic=practitioner.clinic,
                        practitioner=practitioner,
                        patient=patient,
                        visit_type=visit_type,
                        start=start,
                        end=start + length,
                        busy_start=start,
                        busy_end=start + length,
                        status=Appointment.Status.FULFILLED if day < today else Appointment.Status.BOOKED,
                    )
                )
    Appointment.objects.bulk_create(visits, batch_size=500)
