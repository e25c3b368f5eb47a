"""Running late: who is behind, who is told, what is shown, and what is moved."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.conftest import staff
from tests.party import bearer, browser, make_link
from tests.threads import at_once
from tests.waiting.conftest import make_arrived, make_ready
from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.reminders import services as reminders
from visits.reminders import texts
from visits.reminders.models import Communication
from visits.waiting import board, late, line, services
from visits.waiting.models import Delay, DelayedVisit, Ticket

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# Ten in the morning in Chicago.
NOW = datetime(2026, 6, 9, 15, tzinfo=UTC)
TODAY = reverse("waiting:today")
LATE = reverse("waiting:late")


@pytest.fixture(autouse=True)
def clock():
    with freeze_time(NOW) as frozen:
        yield frozen


@pytest.fixture
def day(practitioner):
    """``day(0, 20, 60)``: booked visits of 20 minutes that begin so many minutes from now."""
    visit_type = factories.make_visit_type(practitioner.clinic, minutes=20)

    def make(*minutes, **fields):
        return [
            factories.make_visit(practitioner, visit_type=visit_type, start=NOW + at * MINUTE, **fields)
            for at in minutes
        ]

    return make


@pytest.fixture
def say(practitioner, clinician):
    """``say(15)``: the clinician is so late; returns the minutes that each patient is told, by visit."""

    def call(minutes, user=clinician):
        told = late.set_delay(principal=staff(user), practitioner=practitioner, minutes=minutes)
        return {one.visit.pk: one.minutes for one in told}

    return call


def messages(visit):
    rows = Communication.objects.filter(appointment=visit, kind="running-late").order_by("serial")
    return [(row.details["minutes"], row.state) for row in rows]


# --- who is behind --------------------------------------------------------------------------------


def stretches(*begins):
    return [(NOW + at * MINUTE, NOW + (at + 20) * MINUTE) for at in begins]


def test_breaks_take_up_a_delay():
    assert late.carried(15, stretches(0, 20, 50, 70)) == [15, 15, 5, 5]
    assert late.carried(15, stretches(0, 20, 60)) == [15, 15, 0]
    assert late.carried(15, stretches(0, 27)) == [15, 10], "said to five minutes"


@given(
    st.sampled_from(Delay.STEPS),
    st.lists(st.tuples(st.integers(0, 40), st.integers(5, 60)), min_size=1, max_size=12),
)
def test_a_day_that_is_carried_on_never_overlaps_and_is_never_later_than_said(minutes, parts):
    busy, at = [], NOW
    for pause, length in parts:
        busy.append((at + pause * MINUTE, at + (pause + length) * MINUTE))
        at = busy[-1][1]
    found = late.carried(minutes, busy)
    moved = [(begin + by * MINUTE, end + by * MINUTE) for (begin, end), by in zip(busy, found, strict=True)]

    assert all(before[1] <= after[0] for before, after in pairwise(moved))
    assert minutes == found[0]
    assert sorted(found, reverse=True) == found


def test_waiting_and_upcoming_patients_who_are_affected_are_told(practitioner, day, say, clinician):
    waiting = make_arrived(practitioner, -10)
    inside = make_arrived(practitioner, -40)
    services.admit(principal=staff(clinician), visit=inside)
    soon, after_a_break, later = day(10, 120, 140)
    (missed,) = day(-60)
    (tomorrow,) = day(24 * 60)
    colleague = factories.make_visit(factories.make_practitioner(practitioner.clinic), start=NOW + 5 * MINUTE)

    assert say(15) == {waiting.pk: 15, soon.pk: 15}
    assert messages(waiting) == messages(soon) == [(15, "planned")]
    for visit in (inside, after_a_break, later, missed, tomorrow, colleague):
        assert messages(visit) == []
    assert AuditEvent.objects.get(subtype="delay.set").detail["told"] == 2


def test_nobody_is_told_twice_of_the_same(day, say):
    (visit,) = day(10)
    say(15)
    assert say(15) == {}
    reminders.send_due()
    assert say(15) == {}
    assert messages(visit) == [(15, "sent")]
    assert say(20) == {visit.pk: 20}
    assert messages(visit) == [(15, "sent"), (20, "planned")]


def test_of_two_delays_only_the_second_is_said_when_none_has_gone_out(day, say):
    (visit,) = day(10)
    say(15)
    say(30)

    assert messages(visit) == [(15, "suppressed"), (30, "planned")]


def test_back_to_what_they_know_calls_off_what_is_not_sent(day, say):
    (visit,) = day(10)
    say(15)
    reminders.send_due()
    say(30)

    assert say(15) == {}
    assert messages(visit) == [(15, "sent"), (30, "suppressed")]


def test_on_time_again_tells_who_was_told(day, say, mailoutbox):
    known, new = day(10, 30)
    say(15)
    reminders.send_due()
    Communication.objects.filter(appointment=new, kind="running-late").delete()
    mailoutbox.clear()

    assert say(0) == {known.pk: 0}
    reminders.send_due()
    assert [mail.subject.split(",")[0] for mail in mailoutbox] == ["We are on time again"]
    assert "begins at its time" in mailoutbox[0].body
    assert say(0) == {}


def test_taken_back_before_it_was_sent_nobody_hears_anything(day, say):
    (visit,) = day(10)
    say(15)

    assert say(0) == {}
    assert messages(visit) == [(15, "suppressed")]


def test_the_message_says_how_late(day, say, mailoutbox):
    day(10)
    say(15)
    reminders.send_due()

    mail = next(mail for mail in mailoutbox if "running late" in mail.subject)
    assert "15 minutes later" in mail.body


@pytest.mark.parametrize(("after", "reason"), [(24, ""), (25, "too-late")])
def test_after_an_outage_a_delay_is_told_until_the_visit_begins(day, say, clock, mailoutbox, after, reason):
    (visit,) = day(10)
    say(15)
    clock.tick(after * MINUTE)
    reminders.send_due()

    assert Communication.objects.get(appointment=visit, kind="running-late").reason == reason
    assert len([mail for mail in mailoutbox if "running late" in mail.subject]) == (not reason)


def test_who_is_called_in_is_not_told_of_a_delay_any_more(day, say, clinician):
    (visit,) = day(10)
    say(15)
    Appointment.objects.filter(pk=visit.pk).update(status=Appointment.Status.ARRIVED)
    Ticket.objects.create(appointment=visit, admitted_at=NOW, admitted_by=clinician)
    reminders.send_due()

    assert Communication.objects.get(appointment=visit, kind="running-late").reason == "not-needed"


def test_who_has_just_heard_of_a_delay_is_not_reminded_of_the_old_time(day, say, clock, mailoutbox):
    (visit,) = day(15)
    reminders.plan(visit)
    say(30)
    reminders.send_due()
    clock.tick(6 * MINUTE)
    reminders.send_due()

    row = Communication.objects.get(appointment=visit, kind="reminder", lead=10, channel="email")
    assert (row.state, row.reason) == ("suppressed", "not-needed")
    assert not any("starts in" in mail.subject for mail in mailoutbox)


@pytest.mark.parametrize("language", ["en", "es"])
def test_who_heard_of_it_long_before_is_reminded_of_the_delay(day, say, clock, mailoutbox, language):
    (visit,) = day(120)
    Patient.objects.filter(pk=visit.patient_id).update(language=language)
    reminders.plan(visit)
    say(20)
    reminders.send_due()
    mailoutbox.clear()
    clock.tick(61 * MINUTE)
    reminders.send_due()

    (mail,) = mailoutbox
    assert mail.subject.startswith("We are running late" if language == "en" else "Vamos con retraso")
    assert ("20 minutes later" if language == "en" else "20 minutos") in mail.body
    row = Communication.objects.get(appointment=visit, kind="reminder", lead=60, channel="email")
    in_short = texts.compose(row, link="", now=timezone.now())
    assert ("about 20 minutes." if language == "en" else "20 minutos.") in in_short


@pytest.mark.parametrize("end", ["on time again", "moved"])
def test_without_a_delay_any_more_a_reminder_says_how_soon_it_is(day, say, clock, mailoutbox, front_desk, end):
    (visit,) = day(120)
    reminders.plan(visit)
    say(20)
    reminders.send_due()
    if end == "moved":
        booking.move(principal=staff(front_desk), visit=visit, start=NOW + 140 * MINUTE, at_any_time=True)
    else:
        say(0)
    reminders.send_due()
    mailoutbox.clear()
    clock.tick(141 * MINUTE - HOUR if end == "moved" else 61 * MINUTE)
    reminders.send_due()

    assert ["starts in" in mail.subject for mail in mailoutbox] == [True]


def test_a_visit_that_moved_since_is_told_anew(day, say, front_desk):
    (visit,) = day(10)
    say(15)
    reminders.send_due()
    booking.move(principal=staff(front_desk), visit=visit, start=NOW + 30 * MINUTE, at_any_time=True)

    assert say(20) == {visit.pk: 20}


def test_a_delay_does_not_grow_when_the_first_visit_has_begun(practitioner, day, say, clinician, clock):
    """Breaks had used it up for the second visit; nobody has told its patient anything."""
    waiting = make_arrived(practitioner, 5)
    (later,) = day(180)
    assert say(30) == {waiting.pk: 30}
    services.admit(principal=staff(clinician), visit=waiting)
    clock.move_to(NOW + 170 * MINUTE)

    assert late.minutes_late(later, timezone.now()) == 0
    assert late.shifts(practitioner, timezone.now()) == []
    assert say(30) == {later.pk: 30}
    assert late.minutes_late(later, timezone.now()) == 30


def test_only_five_steps_are_taken(say):
    with pytest.raises(ValueError, match="7 minutes"):
        say(7)


def test_eight_presses_at_once_are_one_message(transactional_db, day, say):
    (visit,) = day(10)
    told = at_once([lambda: say(15)] * 8)

    assert sorted(map(len, told)) == [0] * 7 + [1]
    assert messages(visit) == [(15, "planned")]
    assert Delay.objects.get().serial == 1


def test_the_database_refuses_a_second_word_for_a_day(day, say, practitioner):
    say(15)
    delay = Delay.objects.get()
    for wrong in (
        lambda: Delay.objects.create(practitioner=practitioner, day=delay.day),
        lambda: Delay.objects.update(minutes=7),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong()


# --- who may --------------------------------------------------------------------------------------


def test_clinicians_speak_for_themselves_and_the_front_desk_for_all(practitioner, say, front_desk, clinic):
    colleague = factories.make_practitioner(clinic)
    say(15, front_desk)
    assert Delay.objects.get().changed_by == front_desk

    with pytest.raises(Http404):
        late.set_delay(principal=staff(colleague.user), practitioner=practitioner, minutes=5)


def test_strangers_change_and_see_nothing(
    practitioner, clinic, day, stranger, clinic_admin, auditor, front_desk, verified, password_only
):
    (visit,) = day(10)
    move = reverse("waiting:late-move", args=[practitioner.pk])
    data = {"of": str(practitioner.pk), "late": "15"}
    factories.make_practitioner(stranger.memberships.get().clinic, stranger)
    browsers = {
        "nobody": Client(),
        "of another clinic": verified(stranger),
        "a colleague": verified(factories.make_practitioner(clinic).user),
        "clinic admin": verified(clinic_admin),
        "auditor": verified(auditor),
        "without a second factor": password_only(front_desk),
        "the patient": browser(make_link(visit)),
    }
    for who, client in browsers.items():
        for answer in (client.post(LATE, data), client.get(move), client.post(move)):
            assert answer.status_code in {302, 403, 404}, who
        for answer in (client.get(LATE, data, headers={"HX-Request": "true"}), client.get(TODAY, data)):
            assert visit.patient.full_name not in answer.content.decode() or who in {"a colleague", "clinic admin"}
            assert "Tell 1" not in answer.content.decode(), who
    assert not Delay.objects.filter(minutes__gt=0).exists()


def test_a_forged_form_is_refused(verified, front_desk, practitioner):
    client = verified(front_desk)
    client.handler.enforce_csrf_checks = True

    assert client.post(LATE, {"of": str(practitioner.pk), "late": "15"}).status_code == 403


# --- what is shown --------------------------------------------------------------------------------


def page(client, path, **data):
    answer = client.get(path, data)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_card_says_who_is_told_before_anybody_is(verified, front_desk, practitioner, day, clinic):
    make_arrived(practitioner, -10)
    day(10, 30)
    day(50, patient=factories.make_patient(clinic, given_name="Nadia", family_name="Petrov", email="", phone="555 1"))
    client = verified(front_desk)
    asked = {"of": str(practitioner.pk), "late": "15"}

    for path, headers in ((LATE, {"HX-Request": "true"}), (TODAY, {})):
        words = client.get(path, asked, headers=headers).content.decode()
        assert "Dr. Amara Okafor, 15 minutes late." in words
        assert "We tell 1 waiting and 2 upcoming patients." in words
        assert 'Nadia Petrov (<span class="nowrap">555 1</span>)' in words
        assert "Tell 3 patients" in words
    assert not Delay.objects.exists()
    assert client.get(LATE, asked).url == f"{TODAY}?of={practitioner.pk}&late=15"
    assert "Tell" not in page(client, TODAY).split('id="late"')[1]


def test_pressing_tells_and_the_board_shows_it_until_it_is_taken_back(verified, clinician, practitioner, day):
    (visit,) = day(10)
    client = verified(clinician)
    client.post(LATE, {"of": str(practitioner.pk), "late": "15"})
    words = page(client, TODAY)
    assert "1 patient is told." in words
    assert "Dr. Amara Okafor, about 15 minutes" in words
    assert messages(visit) == [(15, "planned")]

    client.post(LATE, {"of": str(practitioner.pk), "late": "0"})
    words = page(client, TODAY)
    assert "is on time again." in words
    assert "Late today" not in words


def test_without_minutes_nothing_happens(verified, clinician, practitioner, day):
    client = verified(clinician)
    for wrong in ({}, {"late": "7"}, {"late": "x"}):
        assert client.post(LATE, {"of": str(practitioner.pk)} | wrong).url == TODAY
    assert client.post(LATE, {"of": "x", "late": "5"}).status_code == 404
    assert not Delay.objects.exists()


def test_boards_look_again(clinic, clinician, practitioner, say):
    before = board.versions(clinic, NOW)
    say(15)
    after = board.versions(clinic, NOW)
    assert before.clinic != after.clinic
    assert before.told(clinician)["mine"] != after.told(clinician)["mine"]
    say(20)
    assert board.versions(clinic, NOW).clinic != after.clinic


def test_patients_pages_say_it(practitioner, patient, day, say):
    (visit,) = day(10, patient=patient)
    client = browser(make_link(visit))
    details, room = reverse("checkin:details", args=[visit.pk]), reverse("waiting:room", args=[visit.pk])
    own = reverse("online:visit", args=[visit.pk])
    words = "Dr. Amara Okafor is running about 15 minutes late."
    assert words not in page(client, details) + page(client, own)
    say(15)
    assert words in page(client, details)
    assert words in page(client, own)
    make_ready(visit)
    assert words in page(client, room)
    say(0)
    assert words not in page(client, room)


def test_who_is_not_affected_does_not_see_it(practitioner, patient, day, say):
    first, visit = day(10), day(120, patient=patient)[0]
    say(15)

    assert "running about" not in page(browser(make_link(visit)), reverse("checkin:details", args=[visit.pk]))
    assert late.minutes_late(first[0], NOW) == 15


def test_a_delay_that_has_passed_is_not_shown_any_more(day, say, clock):
    (visit,) = day(10)
    say(15)

    assert late.minutes_late(visit, NOW + 24 * MINUTE) == 15
    assert late.minutes_late(visit, NOW + 25 * MINUTE) == 0


def test_the_range_counts_the_delay(practitioner, day, say, patient):
    visit = day(10, patient=patient)[0]
    make_ready(visit)
    client = browser(make_link(visit))
    page(client, reverse("waiting:room", args=[visit.pk]))
    say(15)

    assert "25 minutes" in page(client, reverse("waiting:room", args=[visit.pk]))
    assert line.wait(ahead=[], running=[], until_start=10, ratios=[], late=15) == (25, 25)
    assert line.wait(ahead=[20], running=[], until_start=-20, ratios=[], late=5) == (12, 25)


# --- later visits are moved -----------------------------------------------------------------------


def move_later(practitioner, user, besides=()):
    return late.move_later(principal=staff(user), practitioner=practitioner, besides=set(besides))


def test_later_visits_are_moved_by_what_they_are_late(practitioner, day, say, clinician):
    waiting = make_arrived(practitioner, -10)
    visits = day(10, 30, 55, 120)
    say(15)
    moved = move_later(practitioner, clinician)

    assert [(shift.visit.pk, shift.minutes) for shift in moved] == [
        (visits[0].pk, 15),
        (visits[1].pk, 15),
        (visits[2].pk, 10),
    ]
    starts = [Appointment.objects.get(pk=visit.pk).start for visit in visits]
    assert [(start - NOW) // MINUTE for start in starts] == [25, 45, 65, 120]
    assert Appointment.objects.get(pk=waiting.pk).start == waiting.start
    assert late.minutes_late(waiting, NOW) == 15
    assert late.shifts(practitioner, NOW) == []


def test_what_is_moved_has_its_delay_in_its_new_time(practitioner, day, say, clinician):
    visits = day(10, 30)
    say(15)
    move_later(practitioner, clinician)
    fresh = [Appointment.objects.get(pk=visit.pk) for visit in visits]

    assert [late.minutes_late(visit, NOW) for visit in fresh] == [0, 0]
    assert say(20) == {visits[0].pk: 5, visits[1].pk: 5}
    assert [shift.minutes for shift in move_later(practitioner, clinician)] == [5, 5]
    assert set(DelayedVisit.objects.values_list("minutes", flat=True)) == {20}


def test_who_was_moved_by_a_colleague_meanwhile_stays_there(practitioner, day, say, clinician, front_desk, monkeypatch):
    first, second = day(10, 30)
    say(15)
    lock_all = late._lock_all

    def a_colleague_is_quicker(practitioner, visits):
        tomorrow = second.start + timedelta(days=1)
        booking.move(principal=staff(front_desk), visit=second, start=tomorrow, at_any_time=True)
        lock_all(practitioner, visits)

    monkeypatch.setattr(late, "_lock_all", a_colleague_is_quicker)
    moved = move_later(practitioner, clinician)

    assert [shift.visit.pk for shift in moved] == [first.pk]
    assert Appointment.objects.get(pk=second.pk).start == second.start + timedelta(days=1)


def test_when_one_cannot_be_moved_none_is_and_it_is_said(practitioner, day, say, clinician, patient, clinic):
    first, second = day(10, 50)
    (busy,) = day(30, patient=patient)
    colleague = factories.make_practitioner(clinic)
    factories.make_visit(colleague, patient=patient, start=NOW + 60 * MINUTE)
    say(15)
    with pytest.raises(late.InTheWay) as caught:
        move_later(practitioner, clinician)

    problems = {shift.visit.pk: type(shift.problem).__name__ for shift in caught.value.shifts}
    assert problems == {first.pk: "SlotTaken", busy.pk: "PatientBusy", second.pk: "NoneType"}
    for visit in (first, busy, second):
        assert Appointment.objects.get(pk=visit.pk).start == visit.start
    assert not DelayedVisit.objects.exists()


def test_the_page_lists_what_is_in_the_way_and_moves_the_others(
    verified, practitioner, day, say, clinician, patient, clinic
):
    (busy,), (last,) = day(10, patient=patient), day(40)
    factories.make_visit(factories.make_practitioner(clinic), patient=patient, start=NOW + 30 * MINUTE)
    Hold.objects.all().delete()
    say(30)
    client, path = verified(clinician), reverse("waiting:late-move", args=[practitioner.pk])
    before = page(client, path)
    assert "Move 2 visits" in before
    assert "Can be moved" not in before  # nobody has tried yet

    answer = client.post(path)
    assert answer.status_code == 409
    words = answer.content.decode()
    assert "Nothing was moved" in words
    assert "The patient has another visit then." in words
    assert "Can be moved" in words
    assert "Move the other 1 visit" in words
    assert client.post(path, {"besides": [str(busy.pk)]}).url == TODAY
    assert Appointment.objects.get(pk=busy.pk).start == busy.start
    assert Appointment.objects.get(pk=last.pk).start > last.start


def test_with_nothing_to_move_the_page_says_so(verified, practitioner, clinician):
    client, path = verified(clinician), reverse("waiting:late-move", args=[practitioner.pk])

    assert "No later visit begins late" in page(client, path)
    assert client.post(path).url == TODAY
    assert client.post(path, {"besides": ["x"]}).status_code == 404


def test_patients_may_not_move_to_any_time(day):
    (visit,) = day(600)
    with pytest.raises(PermissionDenied):
        booking.move(principal=bearer(make_link(visit)), visit=visit, start=visit.start + 7 * MINUTE, at_any_time=True)


def test_who_waits_is_never_moved(practitioner, say, clinician):
    visit = make_arrived(practitioner, 10)
    say(15)

    assert move_later(practitioner, clinician) == []
    assert Ticket.objects.get(appointment=visit).admitted_at is None
    assert timezone.now() == NOW
