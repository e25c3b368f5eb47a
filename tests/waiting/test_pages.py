import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import AccessLink, AuditEvent
from tests import factories
from tests.conftest import staff
from tests.party import browser, make_link
from tests.waiting.conftest import make_arrived
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.checkin import services as checkin
from visits.reminders.models import Communication, Confirmation
from visits.waiting import board, services
from visits.waiting.models import Ticket

pytestmark = pytest.mark.django_db

TODAY = reverse("waiting:today")


@pytest.fixture
def clinic(clinic):
    """Where it is about noon now: what is minutes away is today."""
    clinic.time_zone = factories.midday_zone()
    clinic.save()
    return clinic


def url(name, visit):
    return reverse(f"waiting:{name}", args=[visit.pk])


def text(response):
    assert response.status_code == 200
    return response.content.decode()


# --- the patient's page ---------------------------------------------------------------------------


def test_opening_the_page_is_the_arrival_and_a_reload_keeps_the_place(patient_client, visit):
    page = text(patient_client.get(url("room", visit)))
    arrived = Ticket.objects.get().arrived_at

    assert "1st" in page
    assert "You are next" in page
    assert "Your place is kept." in page
    patient_client.get(url("room", visit))
    assert Ticket.objects.get().arrived_at == arrived


def test_a_second_device_finds_the_same_place(patient_client, visit):
    patient_client.get(url("room", visit))
    text(browser(make_link(visit)).get(url("room", visit)))

    assert Ticket.objects.count() == 1


def test_place_and_range_are_told(patient_client, visit, practitioner):
    make_arrived(practitioner, -20)
    page = text(patient_client.get(url("room", visit)))

    assert "2nd" in page
    assert "<b>12 to 25 minutes</b>" in page


def test_early_the_page_says_when_and_nobody_has_arrived(patient_client, visit):
    visit.start = timezone.now() + timedelta(days=2)
    visit.end = visit.start + timedelta(minutes=20)
    visit.save()

    assert "We open the line on" in text(patient_client.get(url("room", visit)))
    assert not Ticket.objects.exists()


def test_without_details_the_page_leads_back(patient_client, visit):
    visit.check_in.delete()

    assert patient_client.get(url("room", visit)).url == reverse("checkin:start", args=[visit.pk])
    assert not Ticket.objects.exists()


def test_called_in_the_page_has_the_way_into_the_room(patient_client, visit, clinician):
    patient_client.get(url("room", visit))
    services.admit(principal=staff(clinician), visit=visit)
    panel = text(patient_client.get(url("room", visit) + "?panel=1"))

    assert "Dr. Amara Okafor is ready for you" in panel
    assert reverse("room:party", args=[visit.pk]) in panel
    assert "<html" not in panel

    panel = text(patient_client.post(url("moment", visit), follow=True))
    assert "knows that you need a moment" in panel


def test_leaving_keeps_the_place(patient_client, visit):
    patient_client.get(url("room", visit))
    page = text(patient_client.post(url("left", visit), follow=True))

    assert "Your place is kept" in page
    assert not Ticket.objects.get().is_here()


def test_a_missed_patient_is_told_and_can_join_again(patient_client, visit, clinician):
    booking.miss(principal=staff(clinician), visit=visit)
    assert "Join the line again" in text(patient_client.get(url("room", visit)))
    assert not Ticket.objects.exists()

    page = text(patient_client.post(url("room", visit), follow=True))
    assert "You are next" in page


def test_a_time_that_was_given_away_is_said(patient_client, visit, clinician, practitioner):
    booking.miss(principal=staff(clinician), visit=visit)
    factories.make_visit(practitioner, start=visit.start)
    response = patient_client.post(url("room", visit))

    assert response.status_code == 409
    assert "Your time was given to someone else." in response.content.decode()


@pytest.mark.parametrize("what", ["called", "cancelled"])
def test_joining_again_too_late_tells_what_happened_instead(patient_client, visit, clinician, what):
    patient_client.get(url("room", visit))
    if what == "called":
        services.admit(principal=staff(clinician), visit=visit)
    else:
        booking.cancel(principal=staff(clinician), visit=visit)
        AccessLink.objects.update(revoked_at=None)
    page = text(patient_client.post(url("room", visit), follow=True))

    assert "given to someone else" not in page
    assert f'data-phase="{what}"' in page


def test_a_guest_waits_for_the_patient_to_be_let_in(guest_client, patient_client, visit, clinician):
    page = text(guest_client.get(url("room", visit)))
    assert "has let the patient in" in page
    assert "Rosa" not in page
    assert not Ticket.objects.exists()

    patient_client.get(url("room", visit))
    services.admit(principal=staff(clinician), visit=visit)
    page = text(guest_client.get(url("room", visit)))
    assert "Join the visit" in page
    assert "I need a moment" not in page


@pytest.mark.parametrize("name", ["room", "moment", "left"])
def test_nobody_else_waits_here(name, visit, verified, clinician, stranger, practitioner):
    other = factories.make_visit(practitioner)

    for client in (Client(), verified(clinician), verified(stranger), browser(make_link(other))):
        for response in (client.get(url(name, visit)), client.post(url(name, visit))):
            assert response.status_code in {302, 403, 405}
    assert not Ticket.objects.exists()


# --- the Today board ------------------------------------------------------------------------------


def main_of(page):
    """The page without its head and dialogs."""
    return re.search(r"<main.*</main>", page, re.DOTALL)[0]


def test_the_board_shows_who_waits_and_offers_to_admit(patient_client, visit, verified, clinician):
    patient_client.get(url("room", visit))
    page = text(verified(clinician).get(TODAY))

    assert "Rosa Marín" in page
    assert "arrived just now" in page
    assert "1 waiting, 0 in a visit, 0 to come, 0 finished." in page
    assert main_of(page).count("btn-1") == 1
    assert url("admit", visit) in page


def test_one_primary_action_on_the_page(practitioner, verified, clinician):
    for minutes in (-30, 0, 29):
        make_arrived(practitioner, minutes)

    assert main_of(text(verified(clinician).get(TODAY))).count('btn btn-1"') == 1


def test_opening_the_board_is_on_the_trail_and_keeping_it_true_is_not(visit, verified, clinician):
    client = verified(clinician)
    client.get("/today/?scope=clinic")
    client.get("/today/board/")

    event = AuditEvent.objects.get(subtype="board.view")
    assert (event.user, event.action, event.clinic) == (clinician, AuditEvent.Action.READ, visit.clinic)
    assert event.detail == {"scope": "clinic"}


def test_a_clinician_sees_their_own_first_and_may_see_all(visit, verified, clinician, clinic):
    other = factories.make_visit(factories.make_practitioner(clinic), start=timezone.now())
    client = verified(clinician)

    assert other.patient.full_name not in text(client.get(TODAY))
    assert other.patient.full_name in text(client.get(TODAY + "?scope=clinic"))
    assert other.patient.full_name in text(client.get(reverse("waiting:board")))  # remembered
    assert other.patient.full_name not in text(client.get(TODAY + "?scope=mine"))


def test_the_front_desk_sees_all_and_is_not_sent_into_the_room(patient_client, visit, verified, front_desk):
    patient_client.get(url("room", visit))
    client = verified(front_desk)
    page = text(client.get(TODAY))
    assert "My visits" not in page

    page = text(client.post(url("admit", visit), follow=True))
    assert "Rosa Marín is let in." in page
    assert "In a visit" in page
    assert reverse("room:staff", args=[visit.pk]) not in page


def test_a_clinician_who_admits_goes_along(patient_client, visit, verified, clinician):
    patient_client.get(url("room", visit))
    client = verified(clinician)

    assert client.post(url("admit", visit)).url == reverse("room:staff", args=[visit.pk])
    assert client.post(url("admit", visit)).url == reverse("room:staff", args=[visit.pk])
    assert reverse("room:staff", args=[visit.pk]) in text(client.get(TODAY))


def test_admitting_who_is_not_there_is_explained(visit, verified, clinician):
    page = text(verified(clinician).post(url("admit", visit), follow=True))

    assert "is not in the waiting room." in page


def test_what_the_next_page_says_of_a_patient_is_in_no_cookie(visit, verified, clinician):
    answer = verified(clinician).post(url("admit", visit))

    assert "messages" not in answer.cookies


def test_a_missed_visit_moves_to_missed(visit, verified, front_desk):
    visit.start, visit.end = timezone.now() - timedelta(minutes=15), timezone.now() + timedelta(minutes=5)
    visit.save()
    client = verified(front_desk)
    assert "Not here yet" in text(client.get(TODAY))

    page = text(client.post(url("noshow", visit), follow=True))
    assert "is marked as missed" in page
    assert "No-show" in page
    visit.refresh_from_db()
    assert visit.status == Appointment.Status.NOSHOW


def test_a_board_that_is_behind_misses_nobody_whose_time_has_not_come(visit, verified, front_desk):
    page = text(verified(front_desk).post(url("noshow", visit), follow=True))

    assert "cannot be marked as missed: the visit’s time has not come" in page
    visit.refresh_from_db()
    assert visit.status == Appointment.Status.BOOKED


def test_who_closed_the_page_is_away_and_keeps_the_place(patient_client, visit, verified, clinician):
    patient_client.get(url("room", visit))
    Ticket.objects.update(
        arrived_at=timezone.now() - timedelta(minutes=5), seen_at=timezone.now() - timedelta(minutes=2)
    )
    page = text(verified(clinician).get(TODAY))

    assert "Page closed, place kept" in page
    assert "waiting 5 min" in page


@pytest.mark.parametrize(
    ("fixture", "action", "code"),
    [
        ("stranger", "admit", 404),
        ("stranger", "noshow", 404),
        ("auditor", "admit", 403),
        ("auditor", "noshow", 403),
        ("clinic_admin", "admit", 403),
        ("clinic_admin", "noshow", 403),
    ],
)
def test_who_may_not_act_on_the_board(request, patient_client, visit, verified, fixture, action, code):
    patient_client.get(url("room", visit))
    client = verified(request.getfixturevalue(fixture))

    assert client.post(url(action, visit)).status_code == code
    assert Ticket.objects.get().admitted_at is None


def test_the_board_wants_a_second_factor(password_only, clinician, visit):
    for client in (Client(), password_only(clinician)):
        assert client.get(TODAY).status_code == 302
        assert client.get(reverse("waiting:board")).status_code == 302
        assert client.post(url("admit", visit)).status_code == 403


def test_the_auditor_has_no_board_and_the_admin_only_looks(verified, auditor, clinic_admin, visit, patient_client):
    patient_client.get(url("room", visit))
    assert verified(auditor).get(TODAY).status_code == 403
    page = text(verified(clinic_admin).get(TODAY))
    assert "Rosa Marín" in page
    assert url("admit", visit) not in page


def test_another_clinics_board_shows_nothing_of_ours(verified, stranger, visit):
    assert "Rosa" not in text(verified(stranger).get(TODAY))


# --- lights, only when true -----------------------------------------------------------------------


def lights(visit, clinician):
    today = board.board(staff(clinician), only_mine=False, now=timezone.now())
    row = next(row for row in [*today.later, *today.waiting] if row.visit.pk == visit.pk)
    return {light.column: (light.state, light.words) for light in row.lights}


def test_lights_follow_what_happened(as_patient, visit, clinician, practitioner):
    bare = factories.make_visit(practitioner, start=timezone.now() - timedelta(minutes=15))
    assert {column: state for column, (state, _) in lights(bare, clinician).items()} == {
        "reminder": "na",
        "details": "no",
        "consent": "no",
        "intake": "na",
        "device": "no",
    }
    assert lights(visit, clinician)["details"][0] == lights(visit, clinician)["consent"][0] == "ok"

    checkin.record_devices(principal=as_patient, visit=visit, camera="blocked", microphone="ok")
    assert lights(visit, clinician)["device"] == ("bad", "camera blocked")
    checkin.record_devices(principal=as_patient, visit=visit, camera="off", microphone="ok")
    assert lights(visit, clinician)["device"] == ("ok", "sound only")
    checkin.record_devices(principal=as_patient, visit=visit, camera="ok", microphone="ok")
    assert lights(visit, clinician)["device"][0] == "ok"


def test_the_reminder_light_is_the_ledgers_last_word(visit, clinician):
    def message(**fields):
        defaults = {"appointment": visit, "revision": 0, "due_at": timezone.now()}
        return Communication.objects.create(**defaults | fields)

    confirmation = message(kind=Communication.Kind.CONFIRMATION)
    assert lights(visit, clinician)["reminder"][0] == "no"
    confirmation.state, confirmation.sent_at = Communication.State.SENT, timezone.now()
    confirmation.save()
    assert lights(visit, clinician)["reminder"] == ("ok", "sent")
    message(
        kind=Communication.Kind.REMINDER,
        lead=1440,
        state=Communication.State.FAILED,
        reason=Communication.Reason.REFUSED,
        due_at=timezone.now() + timedelta(seconds=1),
    )
    assert lights(visit, clinician)["reminder"] == ("bad", "The provider refused it")


def test_the_reminder_light_says_when_the_patient_confirmed_this_very_time(visit, clinic, clinician):
    now = timezone.now()
    before = board.versions(clinic, now)
    Confirmation.objects.create(appointment=visit, revision=visit.revision, channel="sms")
    assert lights(visit, clinician)["reminder"] == ("ok", "confirmed by the patient")
    assert board.versions(clinic, now) != before

    Appointment.objects.update(revision=visit.revision + 1)
    assert lights(visit, clinician)["reminder"][0] == "na"


def test_the_version_changes_with_what_the_board_shows(as_patient, visit, clinic, clinician):
    message = Communication.objects.create(
        appointment=visit, kind=Communication.Kind.CONFIRMATION, revision=0, due_at=timezone.now()
    )
    now = timezone.now()
    seen = [board.versions(clinic, now)]

    def changed():
        seen.append(board.versions(clinic, now))
        return seen[-1] != seen[-2]

    assert not changed()
    services.arrive(principal=as_patient, visit=visit)
    assert changed()
    checkin.record_devices(principal=as_patient, visit=visit, camera="ok", microphone="ok")
    assert changed()
    message.state, message.reason = Communication.State.FAILED, Communication.Reason.REFUSED
    message.save()
    assert changed()
    make_link(visit, guest="Luis")
    assert changed()
    services.admit(principal=staff(clinician), visit=visit)
    assert changed()
    services.need_a_moment(principal=as_patient, visit=visit)
    assert changed()
    assert board.versions(clinic, now + timedelta(minutes=1)).clinic != seen[-1].clinic


def test_ones_own_board_stays_when_others_have_news(visit, clinic, clinician):
    other = factories.make_practitioner(clinic)
    theirs = factories.make_visit(other, start=visit.start)
    now = timezone.now()
    before = board.versions(clinic, now)
    Appointment.objects.filter(pk=theirs.pk).update(status=Appointment.Status.NOSHOW)
    after = board.versions(clinic, now)

    assert before.clinic != after.clinic
    assert before.told(clinician)["mine"] == after.told(clinician)["mine"]
    assert before.told(other.user)["mine"] != after.told(other.user)["mine"]


def test_the_version_is_the_same_in_every_language(as_patient, visit, clinic):
    checkin.record_devices(principal=as_patient, visit=visit, camera="blocked", microphone="ok")
    now = timezone.now()
    with translation.override("es"):
        spanish = board.versions(clinic, now)

    assert spanish == board.versions(clinic, now)


@pytest.mark.parametrize("name", ["Etc/GMT+9", "MST", "Asia/Kathmandu"])
def test_today_is_told_in_any_zone(visit, verified, clinician, name):
    clinician.time_zone = name
    clinician.save()

    assert f'data-zone="{name}"' in text(verified(clinician).get(TODAY))


@pytest.mark.parametrize(
    ("status", "start", "now", "where"),
    [
        ("booked", "23:50", "00:10", "later"),
        ("booked", "00:10", "23:45", ""),
        ("arrived", "23:50", "00:10", "waiting"),
        ("arrived", "00:10", "23:45", "waiting"),
        ("admitted", "23:50", "00:10", "in_visit"),
        ("admitted", "00:10", "23:45", "in_visit"),
        ("fulfilled", "23:30", "23:59", "finished"),
        ("fulfilled", "23:30", "00:01", ""),
        ("noshow", "23:30", "23:59", "missed"),
        ("noshow", "23:30", "00:01", ""),
        ("cancelled", "23:30", "23:45", ""),
        ("booked", "23:50", "05:00", ""),
        ("arrived", "23:50", "05:00", ""),
    ],
)
def test_midnight_in_the_clinics_zone(visit, clinic, clinician, status, start, now, where):
    zone = ZoneInfo(clinic.time_zone)
    # The clinic's midnight lies between a start late in the evening and a look early in the morning, or the reverse.
    days = {True: datetime(2026, 7, 14, tzinfo=zone), False: datetime(2026, 7, 15, tzinfo=zone)}
    at, then = (datetime.combine(days[moment > "12:00"], time.fromisoformat(moment), zone) for moment in (start, now))
    stored = "arrived" if status == "admitted" else status
    visit.status, visit.start, visit.end = stored, at, at + timedelta(minutes=20)
    visit.save()
    if stored == "arrived":
        admitted = {"admitted_at": then, "admitted_by": clinician} if status == "admitted" else {}
        Ticket.objects.create(appointment=visit, arrived_at=then - timedelta(minutes=5), seen_at=then, **admitted)
    found = board.board(staff(clinician), only_mine=False, now=then)
    lists = {"waiting": found.waiting, "in_visit": found.in_visit, "later": found.later, "missed": found.missed}

    assert [name for name, rows in lists.items() if rows] == ([where] if where in lists else [])
    assert found.finished == (where == "finished")


def test_guests_are_announced_while_their_link_lives(visit, patient_client, verified, clinician):
    patient_client.get(url("room", visit))
    make_link(visit, guest="Ines Ruiz")
    assert "Interpreter joins" in text(verified(clinician).get(TODAY))
    AccessLink.objects.update(revoked_at=timezone.now())
    assert "joins" not in text(verified(clinician).get(TODAY))
