"""The patient's own pages: see, move, cancel, find the other visits."""

from datetime import time, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time
from icalendar import Calendar

from accounts.models import AccessLink
from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.party import browser, make_link
from visits.booking import services as booking
from visits.booking.days import value_of
from visits.booking.models import Appointment, AppointmentChange
from visits.online import own
from visits.reminders.models import Communication, ContactPreference, ReminderPolicy
from visits.reminders.services import rules
from visits.schedule.models import SchedulePolicy, VisitType

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(hours, patient, visit_type) -> Appointment:
    """Rosa's, on Tuesday at ten."""
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:00"))


@pytest.fixture
def rosa(visit) -> Client:
    return browser(make_link(visit))


def soon(visit: Appointment) -> None:
    """The visit begins within the clinic's notice."""
    SchedulePolicy.objects.update_or_create(clinic=visit.clinic, defaults={"change_notice": 14 * 24})


def test_the_visit_with_all_that_can_be_done(rosa, visit):
    page = rosa.get(f"/my/{visit.pk}/visit/").content.decode()

    for words in ("10:00 am", "Central Time (CT)", "Dr. Amara Okafor", "Choose another time", "Cancel the visit"):
        assert words in page
    assert "You can change it here until" in page
    assert "At the clinic" not in page


def test_who_is_on_time_already_is_asked_for_no_earlier_time(rosa, visit):
    asked = "Would you like to come earlier?"
    before = rosa.get(f"/my/{visit.pk}/visit/").content.decode()
    with freeze_time(visit.start + timedelta(minutes=1)):
        after = rosa.get(f"/my/{visit.pk}/visit/").content.decode()

    assert asked in before
    assert asked not in after


def test_moving_changes_time_and_history_and_says_so(rosa, visit):
    answer = rosa.post(f"/my/{visit.pk}/move/", {"start": value_of(at("11:00")), "reason": "school"})

    assert answer["Location"] == f"/my/{visit.pk}/visit/"
    visit.refresh_from_db()
    assert (visit.start, visit.revision, visit.status) == (at("11:00"), 1, "booked")
    change = AppointmentChange.objects.get(change="moved")
    assert (change.role, change.old_start, change.reason) == ("patient", at("10:00"), "school")
    assert "Your visit has a new time." in rosa.get(answer["Location"]).content.decode()


def test_the_page_for_moving_has_free_times_in_both_zones_and_not_the_visits_own(rosa, visit, patient):
    patient.time_zone = "America/New_York"
    patient.save()

    page = rosa.get(f"/my/{visit.pk}/move/?day={TUESDAY}").content.decode()

    assert "Times in Eastern Time (ET)." in page
    assert value_of(at("10:20")) in page
    assert value_of(at("10:00")) not in page


def test_another_clinician_can_be_chosen(rosa, visit, clinic):
    second = factories.make_practitioner(clinic, name="Dr. Zoe")
    factories.make_hours(second, 1)

    rosa.post(f"/my/{visit.pk}/move/", {"start": value_of(at("10:00")), "with": str(second.pk)})

    visit.refresh_from_db()
    assert (visit.practitioner, visit.start) == (second, at("10:00"))


def test_a_visit_of_a_type_that_is_booked_no_more_moves_too(rosa, visit):
    VisitType.objects.update(is_active=False)

    rosa.post(f"/my/{visit.pk}/move/", {"start": value_of(at("11:00"))})

    visit.refresh_from_db()
    assert visit.start == at("11:00")


@pytest.mark.parametrize("start", ["", "nonsense", "2026-01-01T10:00:00Z"])
def test_moving_nowhere_says_why_and_keeps_the_reason(rosa, visit, start):
    page = rosa.post(f"/my/{visit.pk}/move/", {"start": start, "reason": "the school play"}).content.decode()

    assert "<title>Problem:" in page
    assert "the school play" in page
    visit.refresh_from_db()
    assert visit.start == at("10:00")


def test_a_time_taken_meanwhile_offers_others_and_keeps_the_reason(rosa, visit, hours, visit_type):
    factories.make_visit(hours, visit_type=visit_type, start=at("11:00"))

    page = rosa.post(
        f"/my/{visit.pk}/move/", {"start": value_of(at("11:00")), "reason": "the school play"}
    ).content.decode()

    assert "11:00 am was just taken" in page
    assert "the school play" in page
    rosa.post(f"/my/{visit.pk}/move/", {"choose": value_of(at("11:20")), "reason": "the school play"})
    visit.refresh_from_db()
    assert visit.start == at("11:20")


def test_moving_onto_ones_own_other_visit_is_refused_in_words(rosa, visit, clinic, patient, visit_type):
    second = factories.make_practitioner(clinic, name="Dr. Zoe")
    factories.make_visit(second, patient=patient, visit_type=visit_type, start=at("11:00"))

    page = rosa.post(f"/my/{visit.pk}/move/", {"start": value_of(at("11:00"))}).content.decode()

    assert "You already have a visit then" in page


def test_cancelling_frees_the_time_and_keeps_the_reason(rosa, visit):
    assert "Cancel this visit?" in rosa.get(f"/my/{visit.pk}/cancel/").content.decode()

    answer = rosa.post(f"/my/{visit.pk}/cancel/", {"reason": "feeling well"})

    visit.refresh_from_db()
    assert (visit.status, visit.cancelation_reason) == ("cancelled", "feeling well")
    page = rosa.get(answer["Location"]).content.decode()
    assert "This visit was cancelled" in page
    assert "It was cancelled on" in page


@pytest.mark.parametrize("page", ["move", "cancel"])
def test_after_the_clinics_notice_only_the_phone_helps(rosa, visit, page):
    soon(visit)

    said = rosa.get(f"/my/{visit.pk}/{page}/").content.decode()
    answer = rosa.post(f"/my/{visit.pk}/{page}/", {"start": value_of(at("11:00"))})

    assert "Visits can be changed here until 336 hours before. Call" in said
    assert '<span class="nowrap">(555) 010-0142</span>' in said
    assert 'href="tel:5550100142"' in said
    assert answer.status_code == 409
    visit.refresh_from_db()
    assert (visit.status, visit.start) == ("booked", at("10:00"))
    assert "To change the visit, call us at" in rosa.get(f"/my/{visit.pk}/visit/").content.decode()


@pytest.mark.parametrize("page", ["move", "cancel"])
def test_a_visit_that_has_begun_is_not_changed_here(rosa, visit, page):
    Appointment.objects.update(status="arrived")

    assert "It has begun, is over, or was cancelled." in rosa.get(f"/my/{visit.pk}/{page}/").content.decode()
    assert rosa.post(f"/my/{visit.pk}/{page}/", {"start": value_of(at("11:00"))}).status_code == 409


def test_who_waits_for_a_clinician_who_is_late_still_finds_the_way_in(visit):
    Appointment.objects.update(status="arrived")
    with freeze_time(visit.end + timedelta(minutes=5)):
        rosa = browser(make_link(visit))
        page = rosa.get(f"/my/{visit.pk}/visit/").content.decode()
        listed = rosa.get(f"/my/{visit.pk}/visits/").content.decode()

    assert "This visit is over" not in page
    assert "Get ready or join" in page
    assert "No visits booked" not in listed


def test_the_calendar_file_is_the_visit_and_asks_nobody(rosa, visit):
    answer = rosa.get(f"/my/{visit.pk}/visit/calendar/")

    whole = Calendar.from_ical(answer.content)
    event = whole.walk("VEVENT")[0]
    assert answer["Content-Type"].startswith("text/calendar")
    assert whole["method"] == "PUBLISH"
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (visit.start, visit.end)
    assert "attendee" not in event
    assert "http" not in answer.content.decode().replace("http://localhost", "")


def test_a_cancelled_visit_has_no_calendar_file(rosa, visit, front_desk):
    booking.cancel(principal=None, visit=visit)

    assert rosa.get(f"/my/{visit.pk}/visit/calendar/").status_code == 404


def test_past_visits_are_on_pages_and_the_address_says_the_number_alone(
    rosa, visit, hours, patient, visit_type, monkeypatch
):
    monkeypatch.setattr(own, "A_PAGE", 2)
    past = [
        factories.make_visit(
            hours, patient=patient, visit_type=visit_type, start=at("10:00") - n * timedelta(days=7), status="fulfilled"
        )
        for n in range(1, 6)
    ]
    factories.make_visit(hours, visit_type=visit_type, start=at("11:00") - timedelta(days=7), status="fulfilled")
    days = [f'datetime="{one.start:%Y-%m-%dT%H:%M}' for one in past]
    path = f"/my/{visit.pk}/visits/"

    pages = [rosa.get(path, {"page": number} if number > 1 else {}).content.decode() for number in (1, 2, 3)]

    assert [[day in page for day in days] for page in pages] == [
        [True, True, False, False, False],
        [False, False, True, True, False],
        [False, False, False, False, True],
    ]
    assert "Page 1 of 3" in pages[0]
    assert 'rel="next" href="?page=2"' in pages[0]
    assert 'rel="prev"' not in pages[0]
    assert "Next</h2>" in pages[0]
    assert "Next</h2>" not in pages[1]
    assert 'rel="next"' not in pages[2]
    for nonsense in ("0", "99", "x"):
        assert rosa.get(path, {"page": nonsense}).status_code == 200


def test_the_list_has_next_upcoming_and_past_of_this_patient_alone(rosa, visit, hours, patient, visit_type, clinic):
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))
    past = factories.make_visit(
        hours,
        patient=patient,
        visit_type=visit_type,
        start=at("10:00") - timedelta(days=70),
        status=Appointment.Status.FULFILLED,
    )
    somebody = factories.make_visit(hours, visit_type=visit_type, start=at("11:40"))

    page = rosa.get(f"/my/{visit.pk}/visits/").content.decode()

    places = [page.index(value) for value in ("10:00 am", ">Upcoming<", "11:00 am", ">Past<", "Finished")]
    assert places == sorted(places)
    assert "11:40 am" not in page
    assert f"/my/{visit.pk}/visit/" in page
    for other in (later, past, somebody):
        assert f"/my/{other.pk}/visit/" not in page


def test_another_visit_of_the_same_patient_opens_by_its_own_link_alone(rosa, visit, hours, patient, visit_type):
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))

    for page in ("visit", "move", "cancel", "visits", "visit/calendar", "booked"):
        assert rosa.get(f"/my/{later.pk}/{page}/").status_code == 302  # "open the link from our message"
    answer = rosa.post(f"/my/{visit.pk}/visits/{later.pk}/link/")

    assert answer["Location"] == f"/my/{visit.pk}/visits/"
    assert Communication.objects.get(appointment=later, channel="email").state == "planned"
    assert "The link is on its way." in rosa.get(answer["Location"]).content.decode()


def test_a_link_that_was_asked_for_by_night_waits_for_no_morning(rosa, visit, hours, patient, visit_type):
    cache.clear()
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))
    ReminderPolicy.make(visit.clinic, sms=True, quiet_from=time(0), quiet_until=time(23, 59))
    rosa.post(f"/my/{visit.pk}/visits/{later.pk}/link/")

    for message in Communication.objects.filter(appointment=later):
        assert rules.waits_until(message, now=timezone.now()) is None
    assert Communication.objects.filter(appointment=later, channel="sms").exists()


def test_a_link_is_not_sent_again_and_again(rosa, visit, hours, patient, visit_type):
    cache.clear()
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))
    for _ in range(5):
        rosa.post(f"/my/{visit.pk}/visits/{later.pk}/link/")

    assert Communication.objects.filter(appointment=later, channel="email").count() == 1


def test_where_online_booking_is_on_a_cancelled_visit_leads_to_a_new_time(rosa, visit):
    SchedulePolicy.objects.create(clinic=visit.clinic, online_booking=True)
    booking.cancel(principal=None, visit=visit)

    assert "/book/riverside/" in rosa.get(f"/my/{visit.pk}/visit/").content.decode()


def test_the_link_of_a_phone_visit_leads_to_its_own_page(rosa, visit):
    Appointment.objects.update(mode="phone")

    assert rosa.get(f"/my/{visit.pk}/")["Location"] == f"/my/{visit.pk}/visit/"
    guest = browser(make_link(visit, guest="Luis"))
    assert guest.get(f"/my/{visit.pk}/")["Location"] != f"/my/{visit.pk}/visit/"


def test_the_link_of_a_phone_visit_is_sent_too(rosa, visit, hours, patient, visit_type):
    cache.clear()
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))
    Appointment.objects.filter(pk=later.pk).update(mode="phone")

    assert rosa.post(f"/my/{visit.pk}/visits/{later.pk}/link/").status_code == 302
    assert Communication.objects.filter(appointment=later, channel="email").exists()


def test_what_will_not_be_sent_is_not_promised(rosa, visit):
    Appointment.objects.update(mode="phone")
    form = Communication.objects.create(
        appointment=visit, patient=visit.patient, kind="form-missing", channel="email",
        due_at=visit.start - timedelta(days=1),
    )  # fmt: skip

    by_phone = rosa.get(f"/my/{visit.pk}/visit/").content.decode()
    Appointment.objects.update(mode="video")
    by_video = rosa.get(f"/my/{visit.pk}/visit/").content.decode()
    assert form.label in by_video
    assert form.label not in by_phone

    ContactPreference.objects.create(patient=visit.patient, channel="email", opted_out_at=timezone.now())
    assert form.label not in rosa.get(f"/my/{visit.pk}/visit/").content.decode()


def test_a_phone_visit_has_nothing_to_join(rosa, visit):
    VisitType.objects.update(mode="phone")
    Appointment.objects.update(mode="phone")

    page = rosa.get(f"/my/{visit.pk}/visit/").content.decode()

    assert "We call you at the number that we have of you." in page
    assert f"/my/{visit.pk}/details/" not in page
    assert "Get ready or join" not in page


# --- strangers

OWN = ["booked/", "visit/", "visit/calendar/", "move/", "cancel/", "visits/"]


@pytest.mark.parametrize("page", OWN)
def test_a_stranger_comes_nowhere(visit, page):
    assert Client().get(f"/my/{visit.pk}/{page}")["Location"] == "/link-needed/"


@pytest.mark.parametrize("page", OWN)
def test_staff_have_their_own_pages(visit, verified, front_desk, page):
    assert verified(front_desk).get(f"/my/{visit.pk}/{page}")["Location"] == "/link-needed/"


@pytest.mark.parametrize("page", OWN)
def test_another_patients_link_opens_nothing(visit, hours, visit_type, page):
    other = factories.make_visit(hours, visit_type=visit_type, start=at("11:00"))

    assert browser(make_link(other)).get(f"/my/{visit.pk}/{page}")["Location"] == "/link-needed/"


@pytest.mark.parametrize("page", OWN)
def test_a_guest_sees_nothing_of_the_patients_own_pages(visit, page):
    guest = browser(make_link(visit, guest="Luis"))

    assert guest.get(f"/my/{visit.pk}/{page}").status_code == 404
    assert guest.post(f"/my/{visit.pk}/{page}").status_code in {404, 405}
    visit.refresh_from_db()
    assert visit.status == "booked"


@pytest.mark.parametrize("page", OWN)
def test_a_revoked_link_opens_nothing(visit, page):
    link = make_link(visit)
    client = browser(link)
    AccessLink.objects.update(revoked_at=timezone.now())

    assert client.get(f"/my/{visit.pk}/{page}")["Location"] == "/link-needed/"


def test_a_link_to_somebody_elses_visit_is_never_sent(rosa, visit, hours, visit_type, other_clinic):
    elsewhere = factories.make_practitioner(other_clinic)
    for other in (
        factories.make_visit(hours, visit_type=visit_type, start=at("11:00")),
        factories.make_visit(elsewhere, start=at("11:00")),
    ):
        assert rosa.post(f"/my/{visit.pk}/visits/{other.pk}/link/").status_code == 404
    guest = browser(make_link(visit, guest="Luis"))
    assert guest.post(f"/my/{visit.pk}/visits/{visit.pk}/link/").status_code == 404
    assert Client().post(f"/my/{visit.pk}/visits/{visit.pk}/link/")["Location"] == "/link-needed/"
    assert not Communication.objects.exists()


def test_a_clinician_of_another_clinic_cannot_be_moved_to(rosa, visit, other_clinic):
    elsewhere = factories.make_practitioner(other_clinic)
    factories.make_hours(elsewhere, 1)

    rosa.post(f"/my/{visit.pk}/move/", {"start": value_of(at("11:00")), "with": str(elsewhere.pk)})

    visit.refresh_from_db()
    assert visit.practitioner.clinic == visit.clinic
