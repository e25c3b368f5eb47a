"""The booking page without a script: everything chosen by GET and POST, nothing typed ever lost."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.booking.conftest import TUESDAY, at
from visits.booking import services
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.reminders.models import ReminderPolicy

pytestmark = pytest.mark.django_db

BOOK = "/book/"
NEW = {
    "patient": "new",
    "given_name": "Halima",
    "family_name": "Yusuf",
    "birth_date": "4/30/1985",
    "email": "",
    "phone": "(555) 010-0119",
    "language": "es",
}


@pytest.fixture
def desk(verified, front_desk, hours, visit_type) -> Client:
    return verified(front_desk)


@pytest.fixture
def form(practitioner, visit_type, patient):
    """What a browser sends for Tuesday at ten."""
    return {
        "practitioner": str(practitioner.pk),
        "visit_type": str(visit_type.pk),
        "patient": str(patient.pk),
        "week": TUESDAY.isoformat(),
        "day": TUESDAY.isoformat(),
        "start": value_of(at("10:00")),
    }


def send(client: Client, form: dict[str, str], do: str = "book", **changes: str):
    return client.post(BOOK, {**form, "do": do, **changes})


def chosen(page: str, name: str) -> list[str]:
    """The values of a radio group that are checked."""
    inputs = re.findall(r"<input type=\"radio\"[^>]*>", page)
    return [re.search(r'value="([^"]*)"', tag)[1] for tag in inputs if f'name="{name}"' in tag and " checked" in tag]


def tag(page: str, value: str) -> str:
    return re.search(rf'<input type="radio"[^>]*value="{value}"[^>]*>', page)[0]


def test_the_page_shows_days_with_their_free_slots_in_the_clinics_zone(desk):
    page = desk.get(BOOK, {"day": TUESDAY.isoformat()}).content.decode()

    assert "Times in Central Time (CT)" in page
    assert page.count("9 free") == 5
    assert page.count("Closed") == 2
    assert "Tuesday morning" in page
    assert chosen(page, "day") == [TUESDAY.isoformat()]


def test_a_clinician_finds_their_own_name_chosen(verified, clinician, practitioner, clinic, hours, visit_type):
    factories.make_practitioner(clinic, name="Dr. Aaa First")

    page = verified(clinician).get(BOOK).content.decode()

    assert f'<option value="{practitioner.pk}" selected>' in page


def test_a_booking_leads_to_the_visit_and_says_what_was_booked(desk, form):
    answer = send(desk, form)

    visit = Appointment.objects.get()
    assert (visit.start, visit.patient_id) == (at("10:00"), Patient.objects.get().pk)
    assert answer.status_code == 302
    assert answer["Location"] == reverse("room:visit", kwargs={"pk": visit.pk})
    (message,) = get_messages(answer.wsgi_request)
    assert "10:00" in str(message)
    assert "Rosa" not in str(message)


def test_sending_the_form_twice_books_once(desk, form):
    assert send(desk, form)["Location"] == send(desk, form)["Location"]
    assert Appointment.objects.count() == 1


def test_a_new_patient_needs_a_name_and_a_birth_date_only(desk, form):
    answer = send(desk, form | NEW)

    patient = Appointment.objects.get().patient
    assert (patient.full_name, patient.birth_date.isoformat(), patient.language) == ("Halima Yusuf", "1985-04-30", "es")
    assert len(list(get_messages(answer.wsgi_request))) == 1


def test_a_new_patient_sent_twice_is_added_once(desk, form):
    assert send(desk, form | NEW)["Location"] == send(desk, form | NEW)["Location"]
    assert Patient.objects.filter(given_name="Halima").count() == 1


def test_a_slot_just_taken_keeps_what_was_typed_and_offers_the_nearest(desk, form, book, clinic):
    book(patient=factories.make_patient(clinic))

    page = send(desk, form | NEW | {"text": "hal"}).content.decode()

    assert "10:00 was just taken" in page
    assert "Everything you typed is still here." in page
    for clock in ("9:40", "10:20", "10:40"):
        assert f'name="choose" value="{value_of(at(clock.zfill(5)))}"' in page
    for typed in ("Halima", "Yusuf", "4/30/1985", "(555) 010-0119", 'value="hal"'):
        assert typed in page
    assert chosen(page, "patient") == ["new"]
    assert "disabled" in tag(page, form["start"])
    assert "<title>Problem: Book a visit" in page
    assert not Patient.objects.filter(given_name="Halima").exists()


def test_one_press_chooses_a_time_offered_instead(desk, form):
    page = desk.post(BOOK, form | NEW | {"choose": value_of(at("10:20"))}).content.decode()

    assert chosen(page, "start") == [value_of(at("10:20"))]
    assert 'value="Halima"' in page
    assert not Appointment.objects.exists()


def test_a_time_offered_in_another_week_brings_its_week_along(desk, form):
    later = value_of(at("09:00", TUESDAY + timedelta(days=14)))

    page = desk.post(BOOK, form | {"choose": later}).content.decode()

    assert chosen(page, "start") == [later]


def test_a_busy_patient_is_named_with_their_other_visit(desk, form, book, clinic):
    colleague = factories.make_practitioner(clinic, name="Dr. Fischer")
    factories.make_hours(colleague, 1)
    book(practitioner=colleague)

    page = send(desk, form).content.decode()

    assert "Rosa already has a visit at that time, Tue 10:00 am with Dr. Fischer." in page


def test_a_time_outside_the_hours_is_refused_with_others_offered(desk, form):
    page = send(desk, form, start=value_of(at("14:00"))).content.decode()

    assert "2:00 cannot be booked any more" in page
    assert 'name="choose"' in page


def test_a_known_patient_can_be_used_or_added_all_the_same(desk, form, clinic):
    known = factories.make_patient(clinic, given_name="Halima", family_name="Yusuf", birth_date="1985-04-30")
    page = send(desk, form | NEW).content.decode()
    assert "Is it one of these patients?" in page
    assert AuditEvent.objects.get(subtype="patient.search").detail == {"found": 1}
    assert f'name="use" value="{known.pk}"' in page

    used = desk.post(BOOK, form | NEW | {"use": str(known.pk)}).content.decode()
    assert chosen(used, "patient") == [str(known.pk)]

    send(desk, form | NEW, despite_same="yes")
    assert Patient.objects.filter(given_name="Halima").count() == 2


def test_what_is_missing_is_said_for_each_field(desk, form):
    page = send(desk, form | NEW, given_name="", birth_date="someday", email="nowhere", start="").content.decode()

    for words in (
        "Enter the first name.",
        "We could not read that date.",
        "Enter an e-mail address like",
        "Choose a time.",
    ):
        assert words in page
    assert "someday" in page
    assert 'aria-invalid="true"' in page


def test_without_a_patient_nothing_is_booked(desk, form):
    assert "Choose a patient, or add a new one." in send(desk, form, patient="").content.decode()


@pytest.mark.parametrize("name", ["patient", "practitioner", "visit_type"])
def test_what_belongs_to_another_clinic_counts_as_not_chosen(desk, form, other_clinic, name):
    theirs = {
        "patient": factories.make_patient(other_clinic, given_name="Zelda"),
        "practitioner": factories.make_practitioner(other_clinic, name="Dr. Zelda"),
        "visit_type": factories.make_visit_type(other_clinic, name="Zelda"),
    }[name]

    for answer in (desk.get(BOOK, {name: theirs.pk}), send(desk, form, **{name: str(theirs.pk)})):
        assert answer.status_code == 200
        assert "Zelda" not in answer.content.decode()
    assert not Appointment.objects.exists()


@pytest.mark.parametrize(
    "nonsense",
    [
        {"patient": "x", "practitioner": "'", "visit_type": "1", "day": "tomorrow", "week": "9999-99-99"},
        {"start": "2026-13-45", "choose": "now", "go": "-1"},
        {"week": "0001-01-01"},
        {"week": "9999-12-31", "day": "9999-12-31", "choose": "9999-12-31T23:59:59Z"},
        {"choose": "0001-01-01T00:00:00Z"},
        {"text": "\x00" * 3, "patient": "\x00"},
    ],
)
def test_nonsense_is_not_believed(desk, form, nonsense):
    assert desk.get(BOOK, nonsense).status_code == 200
    assert desk.post(BOOK, form | nonsense).status_code == 200
    assert send(desk, form | nonsense).status_code in {200, 302}


def test_days_go_forward_and_back_but_not_into_the_past(desk, form):
    week = TUESDAY + timedelta(days=7)

    later = desk.post(BOOK, form | {"go": week.isoformat()}).content.decode()
    past = desk.post(BOOK, form | {"go": "2020-01-06"}).content.decode()

    assert f'id="day-{week.isoformat()}"' in later
    assert 'id="day-2020' not in past


def test_where_nothing_is_free_the_next_free_day_is_named(desk, form, practitioner):
    practitioner.availability.update(valid_from=TUESDAY + timedelta(days=21))

    page = desk.get(BOOK).content.decode()

    assert "No free times on these days. The next is on" in page
    assert f'name="go" value="{(TUESDAY + timedelta(days=21)).isoformat()}"' in page


def test_a_clinic_without_clinicians_says_so(verified, front_desk, visit_type):
    assert "No clinician of this clinic takes visits yet." in verified(front_desk).get(BOOK).content.decode()


def test_a_patient_elsewhere_sees_the_visit_at_another_time(desk, form, patient):
    patient.time_zone = "America/Denver"
    patient.save()

    page = desk.post(BOOK, form).content.decode()

    assert "9:00 am for the patient (Mountain Time, MT)" in page


def test_without_an_address_the_page_says_that_nothing_can_be_sent(desk, form, patient):
    patient.email = ""
    patient.save()

    assert "No message can reach the patient" in desk.post(BOOK, form).content.decode()


def test_who_gets_text_messages_is_not_called_unreachable(desk, form, patient):
    ReminderPolicy.make(patient.clinic, sms=True)
    patient.email, patient.phone = "", "(512) 555-0119"
    patient.save()

    page = desk.post(BOOK, form).content.decode()

    assert "No message can reach the patient" not in page
    assert "Text message now" in page


def test_names_are_never_in_an_address(desk, form):
    page = send(desk, form, do="find", text="rosa").content.decode()

    assert "Rosa" in page
    assert 'method="post"' in page
    assert not re.search(r'(href|hx-get)="[^"]*rosa', page, re.IGNORECASE)
    assert desk.get("/visits/book/patients/", {"text": "rosa"}).status_code == 405


def test_a_time_taken_while_one_looks_is_said_at_the_next_change(desk, form, book, clinic):
    book(patient=factories.make_patient(clinic))

    page = desk.post("/visits/book/slots/", form).content.decode()
    said = re.search(r"<p [^>]*autofocus>.*?10:00 was just taken. Choose another time.", page)
    assert said
    assert said.start() < page.index('name="start"')


def test_a_time_taken_between_looking_and_holding_is_said_at_once(desk, form, book, clinic, monkeypatch):
    hold = services.hold

    def too_late(**asked):
        book(patient=factories.make_patient(clinic))
        return hold(**asked)

    monkeypatch.setattr(services, "hold", too_late)
    page = desk.post("/visits/book/slots/", form).content.decode()

    assert "10:00 was just taken. Choose another time." in page
    assert "8 free" in page
    assert not chosen(page, "start")


def test_the_live_parts_follow_what_was_chosen(desk, form):
    slots = desk.post("/visits/book/slots/", form).content.decode()
    found = desk.post("/visits/book/patients/", form | {"text": "nobody"}).content.decode()

    assert 'id="when"' in slots
    assert re.search(r'id="check"[^>]*hx-swap-oob', slots)
    assert "Rosa" in found, "the chosen patient stays in the list"
    assert "Nobody found." in found


def test_the_page_asks_the_database_no_more_for_more_people(
    desk, form, clinic, practitioner, visit_type, django_assert_max_num_queries
):
    for _ in range(8):
        factories.make_hours(factories.make_practitioner(clinic), 1)
        factories.make_visit_type(clinic)
        factories.make_visit(practitioner, visit_type=visit_type)

    # Looking takes 23, holding the chosen time the rest.
    for who in ({}, {"practitioner": "any"}):
        with django_assert_max_num_queries(42):
            send(desk, form, do="find", text="rosa", **who)


# --- held while it is chosen --------------------------------------------------------------------


def test_a_chosen_time_is_held_and_the_page_says_until_when(desk, form, front_desk):
    page = desk.post("/visits/book/slots/", form).content.decode()

    held = Hold.objects.get()
    assert (held.start, held.held_by) == (at("10:00"), front_desk)
    assert "Held for you until" in page
    until = re.search(r'data-until="([^"]*)"', page)[1]
    assert datetime.fromisoformat(until) == held.expires_at
    assert chosen(page, "start") == [form["start"]]


def test_when_another_time_is_chosen_the_first_is_free_again(desk, form):
    desk.post("/visits/book/slots/", form)
    page = desk.post("/visits/book/slots/", form | {"start": value_of(at("10:20"))}).content.decode()

    assert Hold.objects.get().start == at("10:20")
    assert "disabled" not in tag(page, value_of(at("10:00")))


def test_when_no_time_is_chosen_any_more_nothing_is_held(desk, form, clinic):
    desk.post("/visits/book/slots/", form)
    longer = factories.make_visit_type(clinic, minutes=35)

    desk.post("/visits/book/slots/", form | {"visit_type": str(longer.pk)})

    assert not Hold.objects.exists()


def test_a_page_loaded_again_holds_on_to_its_time(desk, form):
    desk.post("/visits/book/slots/", form)

    page = desk.get(BOOK, {"day": form["day"]}).content.decode()

    assert "disabled" not in tag(page, form["start"])
    assert send(desk, form).status_code == 302
    assert not Hold.objects.exists()


def test_looking_at_a_page_holds_nothing(desk, form):
    page = desk.get(BOOK, {name: form[name] for name in ("practitioner", "day", "start")}).content.decode()

    assert chosen(page, "start") == [form["start"]]
    assert not Hold.objects.exists()


def test_what_a_colleague_holds_is_not_to_be_had(desk, form, verified, clinician):
    verified(clinician).post("/visits/book/slots/", form)

    page = desk.post("/visits/book/slots/", form).content.decode()

    assert "10:00 was just taken. Choose another time." in page
    assert "10:00 was just taken" in send(desk, form).content.decode()


# --- any clinician ------------------------------------------------------------------------------


@pytest.fixture
def colleague(clinic):
    one = factories.make_practitioner(clinic, name="Dr. Fischer")
    factories.make_hours(one, 1, "10:00", "13:00")
    return one


def test_any_clinician_offers_the_times_of_all_and_books_who_is_free(desk, form, colleague, book, practitioner):
    book(patient=factories.make_patient(practitioner.clinic))
    anyone = form | {"practitioner": "any"}

    page = desk.post("/visits/book/slots/", anyone).content.decode()
    send(desk, anyone)

    assert "with Dr. Fischer" in page
    assert value_of(at("12:40")) in page
    assert Appointment.objects.get(practitioner=colleague).start == at("10:00")


def test_of_any_clinician_the_next_is_taken_when_the_first_was_just_taken(desk, form, colleague, practitioner, book):
    desk.post("/visits/book/slots/", form | {"practitioner": "any"})
    held = Hold.objects.get()
    Hold.objects.all().delete()
    book(practitioner=held.practitioner, patient=factories.make_patient(practitioner.clinic))

    assert send(desk, form, practitioner="any").status_code == 302
    assert set(Appointment.objects.values_list("practitioner", flat=True)) == {practitioner.pk, colleague.pk}


def test_when_nobody_is_free_any_more_other_times_are_offered(desk, form, practitioner, book):
    book(patient=factories.make_patient(practitioner.clinic))

    page = send(desk, form, practitioner="any").content.decode()

    assert "10:00 was just taken" in page
    assert f'name="choose" value="{value_of(at("10:20"))}"' in page


# --- a series -----------------------------------------------------------------------------------


def hidden(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def ticked(page: str) -> dict[str, bool]:
    boxes = re.findall(r'<input type="checkbox" id="at-\d+" name="at" value="([^"]*)"( checked)?>', page)
    return {value: bool(checked) for value, checked in boxes}


def dates_to_check(page: str) -> list[str]:
    """The times in the card beside the button that books."""
    card = page[page.index('id="check"') :]
    return [value_of(datetime.fromisoformat(one)) for one in re.findall(r'<time datetime="([^"]*)"', card)]


def test_a_series_is_shown_with_what_is_in_the_way_and_booked_as_ticked(desk, form, book, clinic):
    week = timedelta(days=7)
    book(patient=factories.make_patient(clinic), start=at("10:00", TUESDAY + week))
    wanted = form | {"repeat": "yes", "weeks": "1", "count": "4"}

    page = desk.post("/visits/book/slots/", wanted).content.decode()

    first, instead, third, fourth = ticked(page)
    assert list(ticked(page).values()) == [True, False, True, True]
    assert "(taken)" in page
    assert first == form["start"]
    assert Appointment.objects.count() == 1
    assert dates_to_check(page) == [first, third, fourth]
    other = {"repeat_of": hidden(page, "repeat_of"), "at": [instead, fourth]}
    assert dates_to_check(desk.post("/visits/book/slots/", wanted | other).content.decode()) == [instead, fourth]

    answer = send(desk, wanted, repeat_of=hidden(page, "repeat_of"), at=[first, instead, fourth])

    starts = [value_of(start) for start in Appointment.objects.exclude(series=None).values_list("start", flat=True)]
    assert starts == [first, instead, fourth]
    assert third not in starts
    (message,) = get_messages(answer.wsgi_request)
    assert "And 2 more visits." in str(message)


def test_a_tick_whose_time_was_taken_meanwhile_is_named_and_nothing_is_booked_without_it(desk, form, book, clinic):
    wanted = form | {"repeat": "yes", "weeks": "1", "count": "3"}
    seen = desk.post("/visits/book/slots/", wanted).content.decode()
    ticks = {"repeat_of": hidden(seen, "repeat_of"), "at": list(ticked(seen))}
    book(patient=factories.make_patient(clinic), start=at("10:00", TUESDAY + timedelta(days=7)))

    for page in (desk.post("/visits/book/slots/", wanted | ticks), send(desk, wanted, **ticks)):
        said = re.search(r"Not in the list any more: ([^<]*)\. Look through the visits again", page.content.decode())
        assert said
        assert "10:00" in said[1]
        assert list(ticked(page.content.decode()).values()) == [True, False, True]
    assert Appointment.objects.count() == 1

    again = {"repeat_of": hidden(page.content.decode(), "repeat_of"), "at": [ticks["at"][0], ticks["at"][2]]}
    assert send(desk, wanted, **again).status_code == 302
    assert Appointment.objects.exclude(series=None).count() == 2


def test_a_later_one_lost_at_the_last_moment_offers_no_other_time_for_the_first(desk, form, book, clinic, monkeypatch):
    wanted = form | {"repeat": "yes", "weeks": "1", "count": "2"}
    seen = desk.post("/visits/book/slots/", wanted).content.decode()
    book_series = services.book_series

    def meanwhile(**wanted):
        book(patient=factories.make_patient(clinic), start=at("10:00", TUESDAY + timedelta(days=7)))
        return book_series(**wanted)

    monkeypatch.setattr(services, "book_series", meanwhile)
    page = send(desk, wanted, repeat_of=hidden(seen, "repeat_of"), at=list(ticked(seen))).content.decode()

    assert "was just taken" in page
    assert 'name="choose"' not in page
    assert "Not in the list any more" in page
    assert list(ticked(page).values()) == [True, False]
    assert Appointment.objects.count() == 1


def test_a_series_whose_first_time_is_shown_no_more_is_not_booked_as_one_visit(desk, form):
    """As where its time has come meanwhile, or another day was chosen without a script."""
    wanted = form | {"repeat": "yes", "weeks": "1", "count": "3"}
    seen = desk.post("/visits/book/slots/", wanted).content.decode()
    ticks = {"repeat_of": hidden(seen, "repeat_of"), "at": list(ticked(seen))}

    page = send(desk, wanted, day=(TUESDAY + timedelta(days=1)).isoformat(), **ticks).content.decode()

    assert "cannot be booked any more" in page
    assert not Appointment.objects.exists()
    assert send(desk, wanted, **ticks).status_code == 302
    assert Appointment.objects.count() == 3


def test_no_series_is_booked_unseen_or_empty(desk, form):
    wanted = form | {"repeat": "yes", "weeks": "2", "count": "3"}

    unseen = send(desk, wanted).content.decode()
    assert "Look through the visits of the series, then book." in unseen
    assert len(ticked(unseen)) == 3

    empty = send(desk, wanted, repeat_of=hidden(unseen, "repeat_of"), at=[]).content.decode()
    assert "Tick at least one visit of the series." in empty
    assert not Appointment.objects.exists()


def test_of_a_series_with_one_tick_one_visit_is_booked(desk, form):
    wanted = form | {"repeat": "yes", "weeks": "1", "count": "2"}
    page = desk.post("/visits/book/slots/", wanted).content.decode()

    send(desk, wanted, repeat_of=hidden(page, "repeat_of"), at=[form["start"]])

    assert Appointment.objects.get().series is None


def test_a_new_patient_gets_a_series(desk, form):
    wanted = form | NEW | {"repeat": "yes", "weeks": "1", "count": "2"}
    page = desk.post("/visits/book/slots/", wanted).content.decode()

    send(desk, wanted, repeat_of=hidden(page, "repeat_of"), at=list(ticked(page)))

    assert Appointment.objects.filter(patient__given_name="Halima").count() == 2


@pytest.mark.parametrize("nonsense", [{"weeks": "0", "count": "9999"}, {"weeks": "x", "count": "-1"}, {"at": "now"}])
def test_nonsense_about_a_series_is_not_believed(desk, form, nonsense):
    assert desk.post("/visits/book/slots/", form | {"repeat": "yes"} | nonsense).status_code == 200


# --- a follow-up --------------------------------------------------------------------------------


def test_a_follow_up_comes_with_the_patient_clinician_and_type_of_the_finished_visit(desk, form, visit, clinic):
    factories.make_visit_type(clinic, name="Aaa")
    factories.make_practitioner(clinic, name="Aaa")
    Appointment.objects.filter(pk=visit.pk).update(status="fulfilled")

    page = desk.get(BOOK, {"follow_up_of": visit.pk}).content.decode()

    assert chosen(page, "patient") == [str(visit.patient_id)]
    assert f'<option value="{visit.practitioner_id}" selected>' in page
    assert f'<option value="{visit.visit_type_id}" selected>' in page
    assert hidden(page, "follow_up_of") == str(visit.pk)
    send(desk, form, follow_up_of=str(visit.pk))
    assert visit.follow_ups.get().start == at("10:00")


def test_of_another_patient_or_clinic_or_unfinished_nothing_follows(desk, form, visit, clinic, verified, stranger):
    Appointment.objects.filter(pk=visit.pk).update(status="fulfilled")

    theirs = verified(stranger).get(BOOK, {"follow_up_of": visit.pk}).content.decode()
    send(desk, form, follow_up_of=str(visit.pk), patient=str(factories.make_patient(clinic).pk))
    Appointment.objects.filter(pk=visit.pk).update(status="cancelled")
    page = desk.get(BOOK, {"follow_up_of": visit.pk}).content.decode()

    assert "Rosa" not in theirs + page
    assert not visit.follow_ups.exists()


# --- who may come in --------------------------------------------------------------------------

PLACES = [("get", "/book/"), ("post", "/book/"), ("post", "/visits/book/slots/"), ("post", "/visits/book/patients/")]


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
@pytest.mark.parametrize(("method", "path"), PLACES)
def test_other_roles_are_refused(verified, request, role, method, path):
    assert getattr(verified(request.getfixturevalue(role)), method)(path).status_code == 403


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_without_a_second_factor_nobody_comes_in(password_only, front_desk, method, path):
    assert getattr(password_only(front_desk), method)(path).status_code in {302, 403}


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_strangers_to_the_house_do_not_come_in(client, db, method, path):
    assert getattr(client, method)(path).status_code in {302, 403}


def test_a_stranger_sees_their_own_clinic_only(verified, stranger, form, hours):
    client = verified(stranger)

    page = client.post(BOOK, form | {"text": "rosa"}).content.decode()
    send(client, form)

    assert "Rosa" not in page
    assert "Okafor" not in page
    assert not Appointment.objects.exists()


def test_a_form_from_another_site_books_nothing(front_desk, form, hours):
    from tests.conftest import verify

    client = verify(Client(enforce_csrf_checks=True), front_desk)

    assert send(client, form).status_code == 403
    assert not Appointment.objects.exists()
