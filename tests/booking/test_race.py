"""Twenty people at once, each on a connection of their own: the database lets the right number through."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial

import pytest
from django.db import IntegrityError, OperationalError

from accounts.models import AuditEvent, Patient
from accounts.policy import Role
from accounts.principal import Principal
from tests import factories, threads
from tests.booking.conftest import at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment, AppointmentChange, Hold
from visits.booking.patients import Details

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 20
NEW = Details(given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30))


def at_once(*work: Callable[[], object]) -> Counter[str]:
    """Run everything in threads that start together; count how each ended, by the name of what was raised."""

    def end(one: Callable[[], object]) -> str:
        try:
            one()
        except Exception as error:
            return type(error).__name__
        return "done"

    return Counter(threads.at_once([partial(end, one) for one in work]))


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


# --- holds and moves ----------------------------------------------------------------------------


@pytest.fixture
def desks(clinic):
    """Ten people at the front desk."""
    return [staff(factories.make_member(clinic, Role.FRONT_DESK)) for _ in range(10)]


@pytest.fixture
def hold(hours, visit_type):
    def call(principal, clock="10:00", **changes) -> Hold:
        return services.hold(
            **{"principal": principal, "practitioner": hours, "visit_type": visit_type, "start": at(clock)} | changes
        )

    return call


def test_a_time_is_held_by_one_of_ten(hold, desks):
    assert at_once(*(lambda desk=desk: hold(desk) for desk in desks)) == {"done": 1, "SlotTaken": 9}
    assert Hold.objects.count() == 1


def test_a_time_is_held_or_booked_but_not_both(hold, book, desks, patients):
    work = [lambda desk=desk: hold(desk) for desk in desks[:5]]
    work += [
        lambda desk=desk, patient=patient: book(principal=desk, patient=patient)
        for desk, patient in zip(desks[5:], patients, strict=False)
    ]

    assert at_once(*work) == {"done": 1, "SlotTaken": 9}
    assert Hold.objects.count() + Appointment.objects.count() == 1


def test_who_holds_a_time_gets_it_however_many_try(hold, book, desks, patients):
    held = hold(desks[0])
    work = [
        lambda desk=desk, patient=patient: book(principal=desk, patient=patient, hold=held)
        for desk, patient in zip(desks, patients, strict=False)
    ]

    assert at_once(*work) == {"done": 1, "SlotTaken": 9}
    assert Appointment.objects.get().created_by == desks[0].user


def test_when_a_hold_expires_its_time_goes_to_one_of_those_who_wait(hold, book, desks, patients):
    held = hold(desks[0], lasts=timedelta(seconds=1))

    def insist(desk: Principal, patient: Patient) -> None:
        """Until it is booked, by whomever."""
        while not Appointment.objects.exists():
            with suppress(services.SlotTaken):
                book(principal=desk, patient=patient, hold=held)

    people = zip(desks[1:], patients, strict=False)
    ends = at_once(*(lambda desk=desk, patient=patient: insist(desk, patient) for desk, patient in people))

    assert ends == {"done": 9}
    assert Appointment.objects.get().changes.get().at >= held.expires_at
    assert not Hold.objects.exists()


def test_a_time_is_moved_to_or_booked_but_not_both(book, desks, patients):
    visit = book()
    work = [lambda desk=desk: services.move(principal=desk, visit=visit, start=at("11:00")) for desk in desks[:2]]
    work += [
        lambda desk=desk, patient=patient: book(principal=desk, patient=patient, start=at("11:00"))
        for desk, patient in zip(desks[2:], patients, strict=False)
    ]

    ends = at_once(*work)

    assert ends in ({"done": 2, "SlotTaken": 8}, {"done": 1, "SlotTaken": 9})
    assert Appointment.objects.filter(start=at("11:00")).count() == 1


def test_two_visits_that_want_each_others_place_both_stay(book, desks, patients):
    colleague = factories.make_practitioner(desks[0].clinic)
    factories.make_hours(colleague, 1)
    one, other = book(), book(patient=patients[0], practitioner=colleague, start=at("10:20"))

    ends = at_once(
        lambda: services.move(principal=desks[0], visit=one, start=other.start, practitioner=colleague),
        lambda: services.move(principal=desks[1], visit=other, start=one.start, practitioner=one.practitioner),
    )

    assert ends == {"SlotTaken": 2}
    assert not AppointmentChange.objects.filter(change="moved").exists()


def test_visits_that_change_clinicians_crosswise_do_not_wait_for_each_other_in_a_circle(book, desks, patients):
    colleague = factories.make_practitioner(desks[0].clinic)
    factories.make_hours(colleague, 1)
    ours = [book(patient=patients[n], start=at(f"09:{20 * n:02}")) for n in range(3)]
    theirs = [book(patient=patients[3 + n], practitioner=colleague, start=at(f"11:{20 * n:02}")) for n in range(3)]

    def swap(visit: Appointment, to: object) -> Callable[[], object]:
        return lambda: services.move(principal=desks[0], visit=visit, start=visit.start, practitioner=to)

    ends = at_once(
        *(swap(visit, colleague) for visit in ours), *(swap(visit, ours[0].practitioner) for visit in theirs)
    )

    assert ends == {"done": 6}


def test_who_waits_for_a_visit_that_goes_to_another_clinician_still_finds_it(book, desks):
    colleague = factories.make_practitioner(desks[0].clinic)
    factories.make_hours(colleague, 1)
    visit = book()
    people = [visit.practitioner, colleague]
    work = [
        lambda desk=desk, n=n: services.move(
            principal=desk, visit=visit, start=visit.start, practitioner=people[n % 2], reason=str(n)
        )
        for n, desk in enumerate(desks[:-1])
    ]

    ends = at_once(*work, lambda: services.cancel(principal=desks[-1], visit=visit))

    assert set(ends) <= {"done", "WrongState"}
    assert Appointment.objects.get().status == "cancelled"
