"""Twenty people at once, each on a connection of their own: the database lets the right number through."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, OperationalError, connections

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.booking.conftest import at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment
from visits.booking.patients import Details

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 20
NEW = Details(given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30))


def at_once(*work: Callable[[], object]) -> Counter[str]:
    """Run everything in threads that start together; count how each ended, by the name of what was raised."""
    together, ends = Barrier(len(work)), []

    def run(one: Callable[[], object]) -> None:
        try:
            together.wait()
            one()
        except Exception as error:
            ends.append(type(error).__name__)
        else:
            ends.append("done")
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(ends)


@pytest.fixture
def patients(clinic):
    return [factories.make_patient(clinic) for _ in range(PEOPLE)]


def test_one_slot_goes_to_one_of_twenty(book, patients):
    ends = at_once(*(lambda patient=patient: book(patient=patient) for patient in patients))

    assert ends == {"done": 1, "SlotTaken": PEOPLE - 1}
    assert Appointment.objects.count() == AuditEvent.objects.filter(subtype="appointment.book").count() == 1


def test_twenty_people_who_try_every_slot_fill_each_once(book, patients):
    def try_all(patient: Patient) -> None:
        for n in range(9):
            try:
                book(patient=patient, start=at("09:00") + timedelta(minutes=20 * n))
            except (services.SlotTaken, services.PatientBusy):
                continue

    ends = at_once(*(lambda patient=patient: try_all(patient) for patient in patients))

    assert ends == {"done": PEOPLE}
    starts = sorted(Appointment.objects.values_list("start", flat=True))
    assert starts == [at("09:00") + timedelta(minutes=20 * n) for n in range(9)]


def test_of_slots_that_overlap_one_is_booked(book, patients, clinic):
    long = factories.make_visit_type(clinic, minutes=60)
    short = [lambda patient=patient: book(patient=patient, start=at("09:20")) for patient in patients[::2]]
    longer = [
        lambda patient=patient: book(patient=patient, visit_type=long, start=at("09:00")) for patient in patients[1::2]
    ]

    assert at_once(*short, *longer) == {"done": 1, "SlotTaken": PEOPLE - 1}


def test_a_patient_gets_one_of_five_clinicians_at_the_same_time(book, clinic):
    clinicians = [factories.make_practitioner(clinic) for _ in range(5)]
    for clinician in clinicians:
        factories.make_hours(clinician, 1)

    ends = at_once(*(lambda clinician=clinician: book(practitioner=clinician) for clinician in clinicians))

    assert ends == {"done": 1, "PatientBusy": 4}


def test_the_same_form_sent_eight_times_is_one_visit_of_one_patient(front_desk, hours, visit_type):
    def send() -> None:
        services.book_new_patient(
            principal=staff(front_desk),
            practitioner=hours,
            visit_type=visit_type,
            start=at("10:00"),
            details=NEW,
        )

    assert at_once(*[send] * 8) == {"done": 8}
    assert Appointment.objects.get().patient == Patient.objects.get()


def test_without_the_service_too_one_slot_goes_to_one_of_twenty(patients, practitioner, visit_type):
    def create(patient: Patient) -> None:
        try:
            factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=at("10:00"))
        except OperationalError as error:
            # PostgreSQL may end one of two inserts that wait for each other as a deadlock: refused as well.
            raise IntegrityError from error

    ends = at_once(*(lambda patient=patient: create(patient) for patient in patients))

    assert ends == {"done": 1, "IntegrityError": PEOPLE - 1}


def test_a_visit_cancelled_by_ten_is_cancelled_once(book, front_desk):
    visit = book()

    ends = at_once(*[lambda: services.cancel(principal=staff(front_desk), visit=visit)] * 10)

    assert ends == {"done": 10}
    assert AuditEvent.objects.filter(subtype="appointment.cancel").count() == 1
    assert Appointment.objects.get().revision == 1


def test_a_late_patient_and_a_new_booking_do_not_both_get_the_time(book, front_desk, clinic):
    missed = services.miss(principal=staff(front_desk), visit=book())
    newcomer = factories.make_patient(clinic)

    ends = at_once(lambda: services.arrive(principal=staff(front_desk), visit=missed), lambda: book(patient=newcomer))

    assert ends == {"done": 1, "SlotTaken": 1}
    assert Appointment.objects.filter(status__in=Appointment.ACTIVE).count() == 1
