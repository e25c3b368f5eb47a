"""Staff put somebody into today's queue who comes without an appointment, and hand them the link."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from freezegun import freeze_time

from accounts.models import AccessLink, AuditEvent, Patient, Practitioner, User
from tests import factories
from tests.booking.conftest import TUESDAY
from tests.booking.conftest import at as at_on
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.schedule.models import Availability, OpeningHours, SchedulePolicy, VisitType

pytestmark = pytest.mark.django_db

PAGE = "/today/walk-in/"
NOW = at_on("10:07", TUESDAY) + timedelta(seconds=31)
NEW = {"patient": "new", "given_name": "Halima", "family_name": "Yusuf", "birth_date": "4/30/1985", "language": "es"}


def at(clock: str) -> datetime:
    """A wall-clock time in Chicago, of the day on which the tests stand still."""
    return at_on(clock, TUESDAY)


@pytest.fixture(autouse=True)
def seven_past_ten() -> Iterator[Any]:
    with freeze_time(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def hours(practitioner: Practitioner) -> Practitioner:
    factories.make_hours(practitioner, 1, "09:00", "12:00")
    SchedulePolicy.objects.create(clinic=practitioner.clinic, walk_ins=True)
    return practitioner


@pytest.fixture
def desk(verified: Any, front_desk: User, hours: Practitioner, visit_type: VisitType) -> Client:
    client: Client = verified(front_desk)
    return client


@pytest.fixture
def form(patient: Patient, visit_type: VisitType) -> dict[str, str]:
    return {"patient": str(patient.pk), "visit_type": str(visit_type.pk), "practitioner": "any", "do": "book"}


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def link_of(visit: Appointment) -> str:
    return f"/visits/{visit.pk}/link/"


# --- into the queue -------------------------------------------------------------------------------


def test_a_visit_by_phone_is_not_offered(desk: Client, visit_type: VisitType) -> None:
    VisitType.objects.update(mode=VisitType.Mode.PHONE)

    assert "no visit types by video yet" in text(desk.get(PAGE))


def test_today_leads_there_and_shows_who_came(desk: Client, form: dict[str, str]) -> None:
    assert f'href="{PAGE}"' in text(desk.get("/today/"))
    assert "Add a walk-in" in text(desk.get(PAGE))

    answer = desk.post(PAGE, form)

    visit = Appointment.objects.get()
    assert (visit.origin, visit.start, visit.status) == ("walk-in", at("10:07"), "booked")
    assert answer["Location"] == link_of(visit)
    today = text(desk.get("/today/"))
    assert "Rosa Marín" in today
    assert "Walk-in" in today


def test_the_next_page_says_what_was_done_and_what_was_sent(
    desk: Client, form: dict[str, str], hours: Practitioner
) -> None:
    page = text(desk.post(PAGE, form, follow=True))

    assert "Added to today’s queue, with Dr. Amara Okafor." in page
    assert "The place in line is taken when the patient has opened the link and checked in." in page
    assert "Confirmation" in page


def test_only_what_was_tried_is_sent_again_and_nothing_once_the_visit_is_over(
    desk: Client, form: dict[str, str], hours: Practitioner
) -> None:
    desk.post(PAGE, form)
    visit = Appointment.objects.get()
    message = visit.communications.get(kind="confirmation", channel="email")
    again = reverse("reminders:send-again", args=[message.pk])
    assert message.state == "planned"
    assert again not in text(desk.get(link_of(visit)))

    visit.communications.update(state="failed", reason="unreachable")
    assert again in text(desk.get(link_of(visit)))
    Appointment.objects.update(status="fulfilled")
    assert again not in text(desk.get(link_of(visit)))


def test_the_form_shows_what_the_patient_receives_as_it_is_filled_in(
    desk: Client, form: dict[str, str], patient: Patient
) -> None:
    card = text(desk.post(f"{PAGE}check/", form))
    assert "Rosa Marín" in card
    assert "10:07 am CT" in card
    assert "E-mail now" in card

    patient.email = ""
    patient.save()
    card = text(desk.post(f"{PAGE}check/", form))
    assert "No message can reach the patient" in card


def test_somebody_new_is_added_too(desk: Client, form: dict[str, str]) -> None:
    desk.post(PAGE, form | NEW)

    patient = Appointment.objects.get().patient
    assert (patient.full_name, patient.language) == ("Halima Yusuf", "es")


def test_a_clinicians_usual_choice_are_they_themselves_the_desks_anybody(
    desk: Client, verified: Any, clinician: User, hours: Practitioner
) -> None:
    assert f'<option value="{hours.pk}" selected>' in text(verified(clinician).get(PAGE))
    assert '<option value="any" selected>' in text(desk.get(PAGE))


def test_sent_twice_it_is_one_visit_and_the_second_says_so(
    desk: Client, form: dict[str, str], seven_past_ten: Any
) -> None:
    desk.post(PAGE, form)
    seven_past_ten.tick(60)

    page = text(desk.post(PAGE, form, follow=True))

    assert "The patient is in today’s queue already, with Dr. Amara Okafor." in page
    assert Appointment.objects.count() == 1


# --- refused, and nothing typed is lost -----------------------------------------------------------


def kept(page: str) -> bool:
    """Whether the new patient's fields are as they were typed."""
    return all(f'value="{NEW[name]}"' in page for name in ("given_name", "family_name", "birth_date"))


@pytest.mark.parametrize("why", ["closed", "turned off"])
def test_a_closed_queue_says_so_before_and_after_and_offers_a_time_instead(
    desk: Client, form: dict[str, str], clinic: Any, why: str
) -> None:
    if why == "closed":
        OpeningHours.objects.create(clinic=clinic, weekday=1, start_time="14:00", end_time="15:00")
    else:
        SchedulePolicy.objects.update(walk_ins=False)
    words = "The clinic is closed at this hour." if why == "closed" else "A clinic admin can."

    assert words in text(desk.get(PAGE))
    page = text(desk.post(PAGE, form | NEW))

    assert words in page
    assert "Problem:" in page
    assert kept(page)
    assert 'formaction="/book/"' in page
    assert not Patient.objects.filter(given_name="Halima").exists()


def test_the_booking_page_takes_over_what_was_typed(desk: Client, form: dict[str, str]) -> None:
    page = text(desk.post("/book/", form | NEW | {"do": "times"}))

    assert kept(page)
    assert not Appointment.objects.exists()


def test_a_clinician_with_a_visit_now_is_named_and_another_is_one_press_away(
    desk: Client, form: dict[str, str], hours: Practitioner, clinic: Any
) -> None:
    Availability.objects.update(end_time="10:20")
    factories.make_visit(hours, start=at("10:00"))
    colleague = factories.make_practitioner(clinic, name="Dr. Lena Fischer")
    factories.make_hours(colleague, 1)

    page = text(desk.post(PAGE, form | NEW | {"practitioner": str(hours.pk)}))
    assert "Dr. Amara Okafor has no time left today" in page
    assert kept(page)
    assert f'<option value="{hours.pk}" selected>' in page

    desk.post(PAGE, form | NEW | {"practitioner": str(hours.pk), "do": "any"})
    assert Appointment.objects.get(origin="walk-in").practitioner == colleague


def test_a_clinician_without_hours_and_nobody_free_are_told_apart(
    desk: Client, form: dict[str, str], hours: Practitioner, clinic: Any
) -> None:
    off = factories.make_practitioner(clinic, name="Dr. Lena Fischer")
    assert "Dr. Lena Fischer has no time left today" in text(desk.post(PAGE, form | {"practitioner": str(off.pk)}))

    Availability.objects.update(end_time="10:20")
    factories.make_visit(hours, start=at("10:00"))
    assert "Nobody has time left today" in text(desk.post(PAGE, form))


def test_while_everybody_is_busy_the_first_free_time_is_theirs(
    desk: Client, form: dict[str, str], hours: Practitioner
) -> None:
    factories.make_visit(hours, start=at("10:00"))

    answer = desk.post(PAGE, form)

    assert Appointment.objects.get(origin="walk-in").start == at("10:20")
    assert "10:20" in text(desk.get(answer["Location"]))


@pytest.mark.parametrize(
    ("status", "words"), [("arrived", "The patient is in the queue already"), ("booked", "The patient is busy then")]
)
def test_a_patient_who_is_in_the_queue_is_not_added_again(
    desk: Client, form: dict[str, str], clinic: Any, patient: Patient, status: str, words: str
) -> None:
    other = factories.make_visit(factories.make_practitioner(clinic), patient=patient, start=at("10:00"), status=status)

    page = text(desk.post(PAGE, form))

    assert words in page
    assert f'href="/visits/{other.pk}/"' in page
    assert Appointment.objects.count() == 1


def test_who_may_be_known_is_asked_about(desk: Client, form: dict[str, str], clinic: Any) -> None:
    known = factories.make_patient(clinic, given_name="Halima", family_name="Yusuf", birth_date="1985-04-30")

    page = text(desk.post(PAGE, form | NEW))
    assert f'name="use" value="{known.pk}"' in page
    assert kept(page)
    assert AuditEvent.objects.get(subtype="patient.search").detail == {"found": 1}

    desk.post(PAGE, form | NEW | {"despite_same": "yes"})
    assert Appointment.objects.get().patient != known


def test_what_is_missing_is_said_at_its_field(desk: Client, form: dict[str, str]) -> None:
    page = text(desk.post(PAGE, {"do": "book", "visit_type": "x", "practitioner": "any"}))
    assert "Choose a patient, or add a new one." in page
    assert "Choose a visit type." in page

    page = text(desk.post(PAGE, form | {"patient": "new", "given_name": "Halima"}))
    assert "Enter the last name." in page
    assert 'value="Halima"' in page


def test_finding_somebody_puts_nobody_into_the_queue(desk: Client, form: dict[str, str]) -> None:
    page = text(desk.post(PAGE, form | {"do": "find", "text": "Rosa"}))

    assert "1 found" in page
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("name", ["patient", "visit_type", "practitioner"])
def test_what_belongs_to_another_clinic_counts_as_not_chosen(
    desk: Client, form: dict[str, str], other_clinic: Any, name: str
) -> None:
    theirs = {
        "patient": factories.make_patient(other_clinic).pk,
        "visit_type": factories.make_visit_type(other_clinic).pk,
        "practitioner": factories.make_practitioner(other_clinic).pk,
    }

    desk.post(PAGE, form | {name: str(theirs[name])})

    assert not Appointment.objects.exclude(clinic=Practitioner.objects.get(user__email="amara@example.org").clinic)
    assert Appointment.objects.exists() == (name == "practitioner")  # then it is anybody


# --- the link -------------------------------------------------------------------------------------


@pytest.fixture
def visit(hours: Practitioner, patient: Patient, visit_type: VisitType) -> Appointment:
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:07"), origin="walk-in")


def test_a_link_is_shown_once_to_copy_and_print_and_opens_the_visit_for_who_knows_the_birth_date(
    desk: Client, visit: Appointment, front_desk: User
) -> None:
    before = text(desk.get(link_of(visit)))
    assert "/v/" not in before

    page = text(desk.post(link_of(visit)))

    found = re.search(r'value="http://localhost(/v/[^"]+)"', page)
    assert found
    assert "<svg" in page
    link = AccessLink.objects.get()
    assert (link.patient, link.resource_id, link.created_by) == (visit.patient, visit.pk, front_desk)
    event = AuditEvent.objects.get(subtype="link.issue")
    assert (event.user, event.patient) == (front_desk, visit.patient)
    assert "/v/" not in text(desk.get(link_of(visit)))
    patient = Client()
    assert patient.post(found[1], {"birth_date": "3/14/1979"})["Location"] == f"/my/{visit.pk}/"


def test_the_record_of_a_visit_leads_there(desk: Client, visit: Appointment) -> None:
    assert f'href="{link_of(visit)}"' in text(desk.get(f"/visits/{visit.pk}/"))


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"status": "fulfilled"}])
def test_where_there_is_nothing_to_open_there_is_no_link(
    desk: Client, visit: Appointment, change: dict[str, str]
) -> None:
    Appointment.objects.update(**change)

    assert "there is no link" in text(desk.get(link_of(visit)))
    assert desk.post(link_of(visit)).status_code == 404
    assert not AccessLink.objects.exists()


# --- strangers ------------------------------------------------------------------------------------


def test_strangers_put_nobody_into_the_queue_and_see_no_link(
    client: Client,
    verified: Any,
    password_only: Any,
    stranger: User,
    auditor: User,
    clinic_admin: User,
    front_desk: User,
    visit: Appointment,
    form: dict[str, str],
) -> None:
    for user in (auditor, clinic_admin):
        for path in (PAGE, f"{PAGE}check/", link_of(visit)):
            assert verified(user).post(path, form).status_code == 403
    for visitor in (client, password_only(front_desk), browser(make_link(visit))):
        for path in (PAGE, f"{PAGE}check/", link_of(visit)):
            assert visitor.post(path, form).status_code == 403
    assert verified(stranger).get(link_of(visit)).status_code == 404
    assert verified(stranger).post(link_of(visit)).status_code == 404
    verified(stranger).post(PAGE, form)
    assert Appointment.objects.count() == 1
    assert AccessLink.objects.count() == 1  # of the patient's own browser
