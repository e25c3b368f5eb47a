"""Booking at the clinic's public page: a time, a person, a code, a visit."""

import json
from datetime import date, timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.online.conftest import PAGE, Browser, code_sent, wrong
from visits.booking import services as booking
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.online import codes
from visits.online.models import Verification
from visits.reminders.models import Communication, ReminderPolicy
from visits.schedule.models import VisitType

pytestmark = pytest.mark.django_db


def run_out() -> None:
    """Five minutes pass."""
    Hold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    Verification.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def test_a_stranger_becomes_a_patient_with_a_visit(halima, practitioner, check_up):
    visit = halima.book(at("10:00"))

    assert (visit.practitioner, visit.visit_type, visit.start) == (practitioner, check_up, at("10:00"))
    assert (visit.origin, visit.created_by, visit.status) == ("online", None, "booked")
    assert visit.changes.get().role == "patient"
    patient = visit.patient
    assert (patient.full_name, patient.birth_date, patient.email) == (
        "Halima Yusuf",
        date(1985, 4, 30),
        "halima@example.org",
    )
    assert (patient.language, patient.time_zone, patient.phone) == ("en", "America/Chicago", "")
    assert not Hold.objects.exists()
    assert Communication.objects.filter(appointment=visit, kind="confirmation", state="planned").exists()
    kinds = set(AuditEvent.objects.values_list("subtype", flat=True))
    assert {"patient.add", "appointment.book", "link.issue", "link.redeem"} <= kinds


def test_who_has_booked_is_at_their_visit_and_can_look_around(halima):
    visit = halima.book()

    page = halima.client.get(f"/my/{visit.pk}/booked/").content.decode()

    assert "Your visit is booked" in page
    assert "What you will receive" in page
    assert halima.client.get(f"/my/{visit.pk}/visits/").status_code == 200


def test_nothing_is_a_visit_before_the_code_is_right(halima):
    halima.choose()
    halima.tell()
    code = code_sent()

    page = halima.type(wrong(code)).content.decode()

    assert "That is not the code. 4 tries left." in page
    assert not Appointment.objects.exists()
    assert not Patient.objects.exists()
    assert Hold.objects.count() == 1
    assert halima.type(code).status_code == 302


def test_a_known_patient_is_known_again_whatever_the_case_of_name_and_address(halima, clinic):
    known = factories.make_patient(
        clinic, given_name="Halíma", family_name="YUSUF", birth_date=date(1985, 4, 30), email="Halima@Example.org"
    )

    assert halima.book().patient == known
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"email": "somebody.else@example.org"},
        {"birth_date": date(1985, 4, 29)},
        {"given_name": "Hana"},
    ],
)
def test_who_is_not_surely_the_same_is_somebody_new(halima, clinic, other):
    about = {
        "given_name": "Halima",
        "family_name": "Yusuf",
        "birth_date": date(1985, 4, 30),
        "email": "halima@example.org",
    }
    known = factories.make_patient(clinic, **about | other)

    assert halima.book().patient != known
    assert Patient.objects.count() == 2


def test_staff_see_that_somebody_new_may_be_known_already(halima, clinic, verified, front_desk):
    known = factories.make_patient(
        clinic, given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), email="old@example.org"
    )
    visit = halima.book()
    desk = verified(front_desk)

    page = desk.get(f"/visits/{visit.pk}/").content.decode()
    assert "Perhaps this patient is known already" in page
    assert known.email in page
    Patient.objects.filter(pk=known.pk).update(birth_date=date(1985, 4, 29))
    assert "Perhaps this patient is known already" not in desk.get(f"/visits/{visit.pk}/").content.decode()


def test_a_patient_of_another_clinic_is_not_one_of_this(halima, other_clinic):
    about = {
        "given_name": "Halima",
        "family_name": "Yusuf",
        "birth_date": date(1985, 4, 30),
        "email": "halima@example.org",
    }
    factories.make_patient(other_clinic, **about)

    assert halima.book().patient.clinic.slug == "riverside"


def test_the_clinic_says_the_same_whether_it_knows_somebody_or_not(check_up, clinic):
    factories.make_patient(
        clinic, given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), email="halima@example.org"
    )
    said = []
    for start, person in ((at("10:00"), {}), (at("10:20"), {"given_name": "Nobody", "email": "nobody@example.org"})):
        browser = Browser(check_up)
        browser.choose(start)
        assert browser.tell(**person).status_code == 302
        page = browser.client.get(browser.here).content.decode()
        said.append(page[page.index("<h1>") : page.index("</h1>")])
        code_sent()

    assert said[0] == said[1]
    assert len(mail.outbox) == 2
    bodies = [message.body.split("\n")[2:] for message in mail.outbox]
    assert bodies[0] == bodies[1]
    assert mail.outbox[0].subject == mail.outbox[1].subject


def test_a_code_works_once(halima):
    halima.choose()
    halima.tell()
    code = code_sent()
    halima.type(code)

    page = halima.type(code)

    assert page.status_code == 410
    assert "This booking is not under way any more" in page.content.decode()
    assert Appointment.objects.count() == 1


def test_five_wrong_codes_end_it_and_a_new_one_begins_anew(halima):
    halima.choose()
    halima.tell()
    code = code_sent()
    for _ in range(5):
        page = halima.type(wrong(code)).content.decode()

    assert "This code does not work any more" in page
    assert "This code does not work any more" in halima.type(code).content.decode()
    halima.client.post(halima.here, {"again": "yes"})
    assert halima.type(code_sent()).status_code == 302


def test_a_code_is_for_the_address_that_it_was_sent_to(halima):
    halima.choose()
    first = halima.here
    halima.tell()
    code = code_sent()
    halima.here = first
    halima.tell(email="somebody.else@example.org")

    assert "That is not the code" in halima.type(code).content.decode()
    assert halima.type(code_sent()).status_code == 302
    assert Patient.objects.get().email == "somebody.else@example.org"


def test_somebody_elses_code_proves_nothing(halima, check_up):
    other = Browser(check_up)
    other.choose(at("10:20"))
    other.tell(email="other@example.org")
    theirs = code_sent()
    halima.choose()
    halima.tell()
    code_sent()

    assert "That is not the code" in halima.type(theirs).content.decode()


def test_codes_are_stored_as_keyed_hashes_and_no_address_is_in_any_url(halima):
    halima.choose()
    halima.tell()
    code = code_sent()
    row = Verification.objects.get()

    assert code not in row.code_hash
    assert len(row.code_hash) == 64
    assert "halima" not in halima.here.lower()
    assert "halima" not in str(halima.client.cookies).lower()


def test_a_code_that_is_delivered_twice_is_one_code(halima):
    halima.choose()
    halima.tell()
    code_sent()
    code_sent()

    assert len(mail.outbox) == 1


def test_an_address_gets_few_codes_an_hour_however_many_ask_and_nothing_typed_is_lost(check_up, monkeypatch):
    monkeypatch.setattr("accounts.codes.TO_ADDRESS_IN_ALL", 3)
    for n in range(4):
        browser = Browser(check_up, address=f"192.0.2.{n}")
        browser.choose(at("09:00") + timedelta(minutes=20 * n))
        answer = browser.tell()

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Many codes were sent" in page
    assert 'value="Yusuf"' in page
    assert Verification.objects.count() == 3


def test_a_stranger_does_not_use_up_the_codes_of_somebody_elses_address(check_up):
    for n in range(8):
        stranger = Browser(check_up)
        stranger.client = Client(REMOTE_ADDR="192.0.2.66")
        stranger.choose(at("09:00") + timedelta(minutes=20 * n))
        stranger.tell(given_name="Nobody")
    halima = Browser(check_up)

    assert halima.book(at("11:40")).patient.given_name == "Halima"


def test_a_caller_gets_few_holds(check_up):
    said = ""
    for _ in range(31):
        said = Browser(check_up).choose(at("10:00")).content.decode()

    assert "Others on your network are booking, too." in said


def test_one_network_keeps_few_times_from_others_until_they_are_booked_or_let_go(check_up):
    times = [at("09:00") + timedelta(minutes=20 * n) for n in range(9)]
    browsers = [Browser(check_up) for _ in times]
    answers = [browser.choose(start) for browser, start in zip(browsers, times, strict=True)]

    assert [answer.status_code for answer in answers] == [302] * 5 + [200] * 4
    assert "Others on your network are booking, too. Try again in five minutes" in answers[-1].content.decode()
    assert Hold.objects.count() == 5
    assert Browser(check_up, address="192.0.2.7").choose(times[5]).status_code == 302  # who is elsewhere

    assert browsers[0].client.post(browsers[0].here, {"choose": value_of(times[6])}).status_code == 302  # instead
    assert browsers[7].choose(times[7]).status_code == 200
    browsers[0].tell()
    browsers[0].type(code_sent())  # the address is proved, and the time is no more held but booked
    assert browsers[7].choose(times[7]).status_code == 302
    assert browsers[8].choose(times[8]).status_code == 200
    Hold.objects.update(expires_at=timezone.now())
    assert browsers[8].choose(times[8]).status_code == 302


# --- the time


def test_what_is_held_is_not_offered_to_others(halima, check_up):
    halima.choose(at("10:00"))

    page = Client().get(f"{PAGE}?day={TUESDAY}").content.decode()

    assert value_of(at("09:40")) in page
    assert value_of(at("10:00")) not in page


def test_a_time_that_is_taken_meanwhile_offers_the_nearest_ones(halima, check_up):
    Browser(check_up).choose(at("10:00"))

    page = halima.choose(at("10:00")).content.decode()

    assert "10:00 am was just taken" in page
    for clock in ("09:40", "10:20"):
        assert f'name="choose" value="{value_of(at(clock))}"' in page


def test_a_hold_that_ran_out_says_so_keeps_what_was_typed_and_is_kept_again(halima):
    halima.choose()
    run_out()

    page = halima.tell().content.decode()

    assert "Your time has run out" in page
    for typed in ("Halima", "Yusuf", "4/30/1985", "halima@example.org"):
        assert f'value="{typed}"' in page
    halima.tell(choose=value_of(at("10:00")))
    page = halima.client.get(halima.here).content.decode()
    assert "Your time has run out" not in page
    assert 'value="Yusuf"' in page
    halima.tell()
    assert halima.type(code_sent()).status_code == 302


def test_a_hold_that_ran_out_while_the_code_was_awaited_is_kept_again_with_a_new_code(halima):
    halima.choose()
    halima.tell()
    old = code_sent()
    run_out()

    assert "Your time has run out" in halima.type(old).content.decode()
    halima.client.post(halima.here, {"choose": value_of(at("10:00"))})
    assert "That is not the code" in halima.type(old).content.decode()
    assert halima.type(code_sent()).status_code == 302


def test_a_time_that_went_to_somebody_else_offers_others_and_keeps_what_was_typed(halima, check_up):
    halima.choose()
    halima.tell()
    run_out()
    Browser(check_up).book(at("10:00"), given_name="Quick", email="quick@example.org")

    page = halima.client.get(halima.here).content.decode()
    assert "was just taken" in page
    halima.client.post(halima.here, {"choose": value_of(at("10:20"))})

    assert halima.type(code_sent()).status_code == 302
    assert set(Appointment.objects.values_list("start", flat=True)) == {at("10:00"), at("10:20")}


def test_sending_the_code_keeps_the_time_for_five_minutes_anew(halima):
    halima.choose()
    Hold.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    halima.tell()

    hold, verification = Hold.objects.get(), Verification.objects.get()
    assert hold.expires_at == verification.expires_at
    assert hold.expires_at > timezone.now() + timedelta(minutes=4)


def test_another_time_can_be_chosen_and_what_was_typed_stays(halima):
    halima.choose(at("10:00"))
    draft = halima.here.rstrip("/").rsplit("/", 1)[1]
    halima.tell()

    halima.choose(at("10:20"), draft=draft)

    assert Hold.objects.get().start == at("10:20")
    assert 'value="Yusuf"' in halima.client.get(halima.here).content.decode()


def test_two_windows_do_not_mix(halima):
    halima.choose(at("10:00"))
    first = halima.here
    halima.choose(at("11:00"))
    assert halima.here != first
    halima.here = first
    halima.tell()
    halima.type(code_sent())

    assert Appointment.objects.get().start == at("10:00")


def test_a_browser_holds_few_times_at_once(halima):
    for n in range(6):
        halima.choose(at("09:00") + timedelta(minutes=20 * n))

    assert Hold.objects.count() == 4


def test_first_free_takes_who_has_the_fewest_visits(halima, clinic, practitioner, check_up):
    second = factories.make_practitioner(clinic, name="Dr. Zoe")
    factories.make_hours(second, 1)
    factories.make_visit(practitioner, visit_type=check_up, start=at("09:00"))

    assert halima.book().practitioner == second


def test_a_chosen_clinician_is_who_one_gets(halima, clinic, practitioner):
    second = factories.make_practitioner(clinic, name="Dr. Aaron")
    factories.make_hours(second, 1)
    halima.choose(**{"with": str(practitioner.pk)})
    halima.tell()
    halima.type(code_sent())

    assert Appointment.objects.get().practitioner == practitioner


def test_notice_and_days_ahead_bind_patients(halima, check_up):
    VisitType.objects.filter(pk=check_up.pk).update(minimum_notice=30 * 24 * 60)
    assert halima.choose().status_code == 200
    VisitType.objects.filter(pk=check_up.pk).update(minimum_notice=0, horizon_days=1)
    assert halima.choose().status_code == 200
    assert not Hold.objects.exists()


def test_who_has_a_visit_then_is_told_when_the_code_was_right_and_the_code_stays_good(halima, clinic, check_up):
    other = factories.make_practitioner(clinic, name="Dr. Zoe")
    known = factories.make_patient(
        clinic, given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), email="halima@example.org"
    )
    factories.make_visit(other, patient=known, visit_type=check_up, start=at("10:10"))
    halima.choose()
    halima.tell()

    page = halima.type(code_sent()).content.decode()

    assert "You already have a visit then" in page
    assert "Dr. Zoe" in page
    assert Verification.objects.get().used_at is None


# --- who it is


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"given_name": ""}, "Enter your first name."),
        ({"family_name": ""}, "Enter your last name."),
        ({"birth_date": "yesterday"}, "We could not read that date."),
        ({"birth_date": "3/14/2999"}, "A birth date is not before 1900, and not in the future."),
        ({"email": ""}, "Enter your e-mail address."),
        ({"email": "halima"}, "Enter an e-mail address like name@example.org."),
        ({"website": "https://spam.example"}, "That was very quick."),
        ({"shown": ""}, "That was very quick."),
        ({"shown": "forged:1:2"}, "That was very quick."),
    ],
)
def test_bad_input_is_named_and_nothing_typed_is_lost(halima, changes, words):
    halima.choose()
    typed = {"given_name": "Halima", "family_name": "Yusuf", "birth_date": "4/30/1985", "email": "halima@example.org"}

    page = halima.tell(**changes).content.decode()

    assert words in page
    assert "<title>Problem:" in page
    for name, value in (typed | changes).items():
        if value and name in typed:
            assert f'value="{value}"' in page
    assert not Verification.objects.exists()


def test_who_fills_in_a_form_in_no_time_is_asked_to_look_again(halima):
    halima.choose()
    page = halima.client.get(halima.here).content.decode()
    shown = page.split('name="shown" value="')[1].split('"')[0]

    assert "That was very quick." in halima.tell(shown=shown).content.decode()


def test_what_was_typed_is_in_the_session_alone_and_goes_with_the_booking(halima):
    halima.book()

    assert "Yusuf" not in str(dict(halima.client.session))


def test_a_phone_is_offered_where_the_clinic_sends_text_messages(halima, clinic, settings, tmp_path):
    settings.SMS_FILE_PATH = tmp_path
    halima.choose()
    assert 'name="phone"' not in halima.client.get(halima.here).content.decode()
    ReminderPolicy.objects.create(clinic=clinic, sms=True)
    assert 'name="phone"' in halima.client.get(halima.here).content.decode()

    assert "Check the phone number" in halima.tell(channel="sms", phone="12", email="").content.decode()
    # What is wrong in the field that is hidden now is nothing to mend.
    halima.tell(channel="sms", phone="(512) 555-0119", email="halima@")
    codes.deliver(Verification.objects.select_related("clinic").get())
    sent = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert sent["to"] == "+15125550119"
    halima.type(sent["text"].split("code is ")[1][:6])
    assert Appointment.objects.get().patient.phone == "+15125550119"


# --- zones


def test_times_are_shown_by_the_patients_clock_and_the_clinics_where_they_differ(check_up):
    page = Client().get(f"{PAGE}?zone=America/Denver&day={TUESDAY}").content.decode()

    assert "Times in Mountain Time (MT)." in page
    assert "Central Time (CT)" in page
    assert "<span>8:00<small>9:00 am</small></span>" in page
    same = Client().get(f"{PAGE}?zone=America/Chicago&day={TUESDAY}").content.decode()
    assert "the clinic’s clock" not in same


def test_far_away_the_times_are_on_the_days_of_the_patient(check_up):
    """Nine to noon on a Tuesday in Chicago is Wednesday in Auckland."""
    page = Client().get(f"{PAGE}?zone=Pacific/Auckland&day={TUESDAY + timedelta(days=1)}").content.decode()

    assert value_of(at("10:00")) in page


def test_zones_by_their_old_names_are_known(check_up):
    page = Client().get(f"{PAGE}?zone=Asia/Calcutta").content.decode()

    assert '<option value="Asia/Kolkata" selected>' in page


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "x" * 500, "\0", "Factory", "localtime"])
def test_what_is_no_zone_counts_as_not_chosen(check_up, zone):
    page = Client().get(PAGE, {"zone": zone}).content.decode()

    assert '<option value="America/Chicago" selected>' in page
    assert "data-guess" in page


@pytest.mark.parametrize("name", ["type", "with", "day", "week", "draft", "start"])
@pytest.mark.parametrize("value", ["", "x", "\0", "0001-01-01", "9999-12-31", "' or 1=1"])
def test_nonsense_in_an_address_counts_as_not_chosen(check_up, name, value):
    assert Client().get(PAGE, {name: value}).status_code == 200


def test_the_patient_keeps_the_zone_in_which_they_booked(halima):
    halima.choose(zone="America/Denver")
    halima.tell()
    halima.type(code_sent())

    assert Patient.objects.get().time_zone == "America/Denver"
    page = halima.client.get(f"/my/{Appointment.objects.get().pk}/visit/").content.decode()
    assert "9:00 am" in page
    assert "At the clinic: Tue" in page


def test_no_days_are_free_leads_to_the_next_that_is(check_up, practitioner):
    practitioner.availability.all().delete()
    page = Client().get(PAGE).content.decode()
    assert "There are no free times to book here." in page
    assert "Continue" not in page

    factories.make_hours(practitioner, 1).__class__.objects.update(valid_from=TUESDAY + timedelta(days=21))
    page = Client().get(PAGE).content.decode()
    assert "The next is on Tue" in page
    assert "Continue" not in page
    page = Client().get(f"{PAGE}?day={TUESDAY + timedelta(days=21)}", headers={"HX-Request": "true"}).content.decode()
    assert "Continue" in page


def test_where_there_is_nothing_to_book_no_steps_are_promised(policy):
    page = Client().get(PAGE).content.decode()

    assert "There is nothing to book here at the moment." in page
    assert "Progress" not in page


def test_booking_goes_on_working_when_staff_moved_the_clinic_on_meanwhile(halima, check_up):
    """Staff take the type away from patients after the time was kept: nothing is booked, and the page says so."""
    halima.choose()
    halima.tell()
    code = code_sent()
    VisitType.objects.filter(pk=check_up.pk).update(booked_by="staff")

    assert halima.type(code).status_code == 200
    assert not Appointment.objects.exists()


def test_booking_leaves_the_hold_of_somebody_else_alone(halima, check_up, hours):
    other = booking.hold(principal=None, practitioner=hours, visit_type=check_up, start=at("11:00"))
    halima.book()

    assert Hold.objects.get() == other


def test_the_code_comes_as_text_and_as_html_in_the_language_of_the_page(halima, clinic):
    codes.deliver(
        Verification.objects.create(
            clinic=clinic,
            channel="email",
            address="halima@example.org",
            language="es",
            expires_at=timezone.now() + timedelta(minutes=5),
        )
    )

    (sent,) = mail.outbox
    ((html, kind),) = sent.alternatives
    assert kind == "text/html"
    assert '<html lang="es">' in html
    for text in (sent.body, html):
        assert code_sent() in text
        assert "Escríbalo en la página" in text
        assert "(555) 010-0142" in text
