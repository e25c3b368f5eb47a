"""At the same moment: two people and one time, one code in twenty hands, one person twice."""

from collections import Counter
from datetime import date, timedelta
from threading import Event, current_thread

import pytest
from django.core import mail
from django.test import Client, RequestFactory

from accounts.models import AccessLink, Patient
from tests import factories
from tests.booking.conftest import at
from tests.conftest import staff
from tests.online.conftest import PAGE, Browser, code_sent, wrong
from tests.threads import at_once
from visits.booking import services as booking
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.booking.services import booking as booking_itself
from visits.booking.services import locks, walkin
from visits.online import codes
from visits.online.models import Verification
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.django_db(transaction=True)


def type_in_twenty_windows(browser: Browser, code: str) -> Counter[int]:
    """How often each status is the answer to the code, typed in windows of the same browser at once."""
    cookies = dict(browser.client.cookies)

    def send() -> int:
        client = Client()
        client.cookies.update(cookies)
        return int(client.post(browser.here, {"code": code}).status_code)

    return Counter(at_once([send] * 20))


def test_of_twenty_people_one_keeps_the_time(check_up):
    browsers = [Browser(check_up) for _ in range(20)]

    answers = at_once([lambda browser=browser: browser.choose(at("10:00")).status_code for browser in browsers])

    assert Counter(answers) == {302: 1, 200: 19}
    assert Hold.objects.count() == 1


def test_one_network_keeps_no_more_times_by_asking_for_all_at_once(check_up):
    times = [at("09:00") + timedelta(minutes=20 * n) for n in range(9)]

    answers = at_once([lambda start=start: Browser(check_up).choose(start).status_code for start in times])

    assert Counter(answers) == {302: 5, 200: 4}
    assert Hold.objects.count() == 5


def test_a_code_used_by_twenty_at_once_lets_one_in(halima):
    halima.choose()
    halima.tell()
    answers = type_in_twenty_windows(halima, code_sent())

    assert answers[302] == 1
    assert Appointment.objects.count() == Patient.objects.count() == AccessLink.objects.count() == 1
    assert Verification.objects.get().used_at


def test_twenty_wrong_codes_at_once_are_five_tries(halima):
    halima.choose()
    halima.tell()
    code = code_sent()
    type_in_twenty_windows(halima, wrong(code))

    assert Verification.objects.get().failures == 5
    assert halima.type(code).status_code == 200
    assert not Appointment.objects.exists()


def test_one_person_who_books_twice_at_once_is_one_patient(check_up):
    ready = []
    for start in (at("10:00"), at("11:00")):
        browser = Browser(check_up)
        browser.choose(start)
        browser.tell()
        ready.append((browser, code_sent()))

    answers = at_once([lambda one=one: one[0].type(one[1]).status_code for one in ready])

    assert answers == [302, 302]
    patient = Patient.objects.get()
    assert (patient.birth_date, patient.appointments.count()) == (date(1985, 4, 30), 2)


def test_a_code_is_made_once_by_two_workers(clinic):
    row = codes.send(
        clinic=clinic,
        channel="email",
        address="halima@example.org",
        expires_at=codes.good_until(),
        language="en",
        request=RequestFactory().get("/"),
    )

    at_once([lambda: codes.deliver(Verification.objects.select_related("clinic").get(pk=row.pk))] * 4)

    assert len(mail.outbox) == 1


def test_two_who_press_keep_again_do_not_both_get_the_time(check_up):
    browsers = [Browser(check_up), Browser(check_up)]
    browsers[0].choose(at("10:00"))
    browsers[1].choose(at("10:20"))
    Hold.objects.all().delete()

    again = {"choose": value_of(at("10:00"))}
    at_once([lambda browser=browser: browser.tell(**again).status_code for browser in browsers])

    assert Hold.objects.get().start == at("10:00")


@pytest.mark.parametrize("how", ["book", "walk-in"])
def test_who_books_online_and_staff_who_book_for_the_same_patient_do_not_wait_in_a_circle(
    halima, clinic, practitioner, check_up, front_desk, policy, monkeypatch, how
):
    """The one writes the patient's zone, the other holds the clinician's row: each goes on when both have done so."""
    known = factories.make_patient(
        clinic, given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), email="halima@example.org"
    )
    if how == "walk-in":
        SchedulePolicy.objects.update(walk_ins=True)
        for weekday in range(7):
            factories.make_hours(practitioner, weekday, "00:00", "00:00")
        answer = halima.client.post(f"{PAGE}now/", {"type": str(check_up.pk), "zone": "America/Denver"})
        halima.here = answer["Location"]
    else:
        halima.choose()
    halima.tell()
    code = code_sent()
    patient_is_written, practitioner_is_held = Event(), Event()

    def lock_practitioner(*args):
        is_staff = current_thread().name == "staff"
        if not is_staff:
            patient_is_written.set()
            practitioner_is_held.wait(1)
        row = locks.lock_practitioner(*args)
        if is_staff:
            practitioner_is_held.set()
            patient_is_written.wait(1)
        return row

    def by_staff():
        current_thread().name = "staff"
        booking.book(
            principal=staff(front_desk),
            practitioner=practitioner,
            patient=known,
            visit_type=check_up,
            start=at("11:00"),
        )

    for module in (booking_itself, walkin):
        monkeypatch.setattr(module, "lock_practitioner", lock_practitioner)
    answer, _ = at_once([lambda: halima.type(code), by_staff])

    assert answer.status_code == 302, answer.content.decode()
    known.refresh_from_db()
    assert (known.time_zone != "", known.appointments.count()) == (True, 2)
