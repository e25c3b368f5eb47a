"""Visits that were booked together are moved together: shown before, moved all or none, told by one message."""

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from tests import factories
from tests.booking.conftest import CHICAGO, TUESDAY, at
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.reminders.conftest import set_policy
from visits.booking import services
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.booking.services.series import InTheWay
from visits.reminders import services as reminders
from visits.reminders.models import Communication
from visits.schedule.models import ScheduleException

pytestmark = pytest.mark.django_db

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.fixture
def series(front_desk, hours, visit_type, patient) -> list[Appointment]:
    """Four Tuesdays at ten; and the same of somebody else at eleven."""
    return book_series(front_desk, hours, visit_type, patient, [at("10:00", TUESDAY + n * WEEK) for n in range(4)])


def book_series(user, practitioner, visit_type, patient, starts) -> list[Appointment]:
    return services.book_series(
        principal=staff(user),
        practitioner=practitioner,
        visit_type=visit_type,
        patient=patient,
        starts=starts,
        weeks=1,
    )


def looked_at(visit: Appointment, start: datetime, **changes: Any) -> list[services.Occurrence]:
    return [one for _, one in services.following_starts(visit=visit, start=start, **changes)]


def starts_of(visits: list[Appointment]) -> list[datetime]:
    return [Appointment.objects.get(pk=visit.pk).start for visit in visits]


def moved(user: Any, visit: Appointment, start: datetime, **changes: Any) -> list[Appointment]:
    """All that follow it, to where they would be."""
    found = services.following_starts(visit=visit, start=start)
    later = {one.pk: where.start for one, where in found}
    return services.move_following(
        **{"principal": user and staff(user), "visit": visit, "start": start, "later": later} | changes
    )


# --- where they would be ------------------------------------------------------------------------


def test_those_after_it_move_by_as_much(series):
    found = looked_at(series[1], at("11:20", TUESDAY + WEEK + DAY))

    assert [one.start for one in found] == [at("11:20", TUESDAY + n * WEEK + DAY) for n in (2, 3)]
    assert not [one for one in found if one.problem]


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/Berlin", "Australia/Lord_Howe"])
def test_the_time_of_day_stays_when_clocks_change(front_desk, clinic, hours, visit_type, patient, zone):
    clinic.time_zone = zone
    clinic.save()
    hours.clinic = clinic
    first = datetime.combine(TUESDAY, time(10), tzinfo=ZoneInfo(zone))
    found = services.series_starts(
        practitioner=hours, visit_type=visit_type, patient=patient, first=first, weeks=1, count=40
    )
    visits = book_series(front_desk, hours, visit_type, patient, [one.start for one in found])

    after = moved(front_desk, visits[0], datetime.combine(TUESDAY + DAY, time(11), tzinfo=ZoneInfo(zone)))

    assert len(after) == 40
    assert {one.start.astimezone(ZoneInfo(zone)).strftime("%a %H:%M") for one in after} == {"Wed 11:00"}
    assert len({one.start.astimezone(ZoneInfo(zone)).utcoffset() for one in after}) == 2


def test_what_is_in_the_way_is_named_with_the_nearest_free_time(series, book, clinic, hours):
    book(patient=factories.make_patient(clinic), start=at("11:00", TUESDAY + WEEK))
    off = TUESDAY + 2 * WEEK
    ScheduleException.objects.create(clinic=clinic, practitioner=hours, kind="off", first_day=off, last_day=off)
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)
    book(practitioner=colleague, start=at("11:00", TUESDAY + 3 * WEEK))

    found = looked_at(series[0], at("11:00"))

    assert [one.problem for one in found] == [InTheWay.TAKEN, InTheWay.NOT_AVAILABLE, InTheWay.PATIENT_BUSY]
    days = [one.instead.start.astimezone(CHICAGO).date() if one.instead else None for one in found]
    assert days == [TUESDAY + WEEK, off + DAY, TUESDAY + 3 * WEEK]
    assert starts_of(series) == [at("10:00", TUESDAY + n * WEEK) for n in range(4)], "nothing is saved"


def test_they_are_not_in_each_others_way(series, front_desk):
    assert not [one for one in looked_at(series[0], at("10:00", TUESDAY + WEEK)) if one.problem]

    moved(front_desk, series[0], at("10:00", TUESDAY + WEEK))
    assert starts_of(series) == [at("10:00", TUESDAY + n * WEEK) for n in range(1, 5)]

    moved(front_desk, Appointment.objects.get(pk=series[0].pk), at("10:00"))
    assert starts_of(series) == [at("10:00", TUESDAY + n * WEEK) for n in range(4)]


def test_with_another_clinician_it_is_their_time_that_counts(series, clinic):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1, "14:00", "15:00")

    assert not [one for one in looked_at(series[0], at("14:00"), practitioner=colleague) if one.problem]
    assert {one.problem for one in looked_at(series[0], at("14:00"))} == {InTheWay.NOT_AVAILABLE}


# --- moving them --------------------------------------------------------------------------------


def test_each_has_its_history_and_its_event_on_the_trail(series, front_desk):
    moved(front_desk, series[1], at("11:00", TUESDAY + WEEK), reason="Snow")

    assert starts_of(series) == [at("10:00"), *(at("11:00", TUESDAY + n * WEEK) for n in (1, 2, 3))]
    for visit in series[1:]:
        change = visit.changes.get(change="moved")
        assert (change.old_start, change.by, change.reason) == (visit.start, front_desk, "Snow")
        assert AuditEvent.objects.filter(subtype="appointment.move", entity_id=str(visit.pk)).count() == 1
    assert not series[0].changes.filter(change="moved").exists()


def test_sent_twice_it_is_one_move(series, front_desk):
    later = {one.pk: at("11:00", TUESDAY + n * WEEK) for n, one in enumerate(series[1:], 1)}
    for _ in range(2):
        moved(front_desk, series[0], at("11:00"), later=later)

    assert [Appointment.objects.get(pk=one.pk).revision for one in series] == [1] * 4


def test_when_one_cannot_be_moved_none_is(series, front_desk, book, clinic):
    before = starts_of(series)
    book(patient=factories.make_patient(clinic), start=at("11:00", TUESDAY + 2 * WEEK))

    with pytest.raises(services.SlotTaken) as refusal:
        moved(front_desk, series[0], at("11:00"))

    assert refusal.value.start == at("11:00", TUESDAY + 2 * WEEK)
    assert starts_of(series) == before


def test_what_does_not_follow_it_is_not_moved_with_it(series, front_desk, hours):
    services.cancel(principal=staff(front_desk), visit=series[3])
    for wrong in (series[0], series[3], factories.make_visit(hours)):
        with pytest.raises(services.WrongState):
            moved(front_desk, series[1], at("11:00", TUESDAY + WEEK), later={wrong.pk: at("11:20")})

    assert starts_of(series)[1] == at("10:00", TUESDAY + WEEK)


@pytest.mark.parametrize("who", ["stranger", "clinic_admin", "auditor"])
def test_others_move_no_series(request, series, who):
    with pytest.raises((Http404, PermissionDenied)):
        moved(request.getfixturevalue(who), series[0], at("11:00"))

    assert starts_of(series)[0] == at("10:00")


def test_a_patient_moves_one_at_a_time(series):
    with pytest.raises(Http404):
        moved(None, series[0], at("11:00"), principal=bearer(make_link(series[0])))


@pytest.mark.parametrize("language", ["en", "es"])
def test_one_message_names_all_that_moved(series, front_desk, clinic, patient, mailoutbox, language):
    set_policy(clinic)
    patient.language = language
    patient.save()
    reminders.send_due()
    mailoutbox.clear()

    moved(front_desk, series[1], at("11:00", TUESDAY + WEEK))
    reminders.send_due()

    reminders.send_due(timezone.now() + timedelta(minutes=1))

    (mail,) = mailoutbox
    starts = {"en": "Your 3 visits have changed, the first on ", "es": "Sus 3 visitas cambiaron, la primera "}
    assert mail.subject.startswith(starts[language])
    assert {"en": "They are now:", "es": "Ahora son:"}[language] in mail.body
    assert len([part for part in mail.attachments if "ics" in str(part.get_filename())]) == 3
    rows = Communication.objects.filter(kind="reschedule").order_by("start")
    assert [(row.state, row.reason) for row in rows] == [("sent", ""), *[("suppressed", "in-series")] * 2]


# --- the page -----------------------------------------------------------------------------------


@pytest.fixture
def desk(verified, front_desk) -> Client:
    return verified(front_desk)


@pytest.fixture
def path(series) -> str:
    return f"/visits/{series[1].pk}/move/"


@pytest.fixture
def form(series) -> dict[str, Any]:
    """What a browser sends for eleven on the second Tuesday."""
    day = TUESDAY + WEEK
    return {
        "practitioner": str(series[1].practitioner_id),
        "visit_type": str(series[1].visit_type_id),
        "week": day.isoformat(),
        "day": day.isoformat(),
        "start": value_of(at("11:00", day)),
        "following": "yes",
        "do": "move",
    }


def ticks(page: str) -> dict[str, Any]:
    """What the list on the page sends along."""
    ticked = [part.split('"')[0] for part in page.split('name="later" value="')[1:] if " checked" in part.split(">")[0]]
    return {"shift_of": page.split('name="shift_of" value="')[1].split('"')[0], "later": ticked}


def test_a_visit_alone_or_the_last_asks_for_no_others(desk, series, book, clinic):
    alone = book(patient=factories.make_patient(clinic), start=at("09:00"))
    for visit in (alone, series[3]):
        assert 'id="shift"' not in desk.get(f"/visits/{visit.pk}/move/").content.decode()
    assert "Move the 2 visits after it by as much" in desk.get(f"/visits/{series[1].pk}/move/").content.decode()


def test_the_later_ones_are_shown_and_nothing_is_saved_before_they_were_looked_at(desk, path, form, series):
    page = desk.post(path, form).content.decode()

    assert "Look through the visits after it, then move." in page
    assert page.count('name="later"') == 2
    assert starts_of(series)[1] == series[1].start

    answer = desk.post(path, form | ticks(page))
    assert starts_of(series) == [at("10:00"), *(at("11:00", TUESDAY + n * WEEK) for n in (1, 2, 3))]
    assert "And 2 more visits." in str(list(get_messages(answer.wsgi_request))[-1])


def test_what_is_not_ticked_stays(desk, path, form, series):
    seen = ticks(desk.post(f"{path}slots/", form).content.decode())
    desk.post(path, form | seen | {"later": seen["later"][1:]})

    assert starts_of(series)[1:] == [
        at(clock, TUESDAY + n * WEEK) for clock, n in (("11:00", 1), ("10:00", 2), ("11:00", 3))
    ]


def test_what_is_in_the_way_is_named_and_the_nearest_time_is_not_ticked(desk, path, form, series, book, clinic):
    book(patient=factories.make_patient(clinic), start=at("11:00", TUESDAY + 2 * WEEK))

    page = desk.post(f"{path}slots/", form).content.decode()

    assert "(taken)" in page
    assert "Instead:" in page
    assert len(ticks(page)["later"]) == 1


def test_a_slot_that_is_taken_meanwhile_is_named_and_nothing_is_moved_without_it(
    desk, path, form, series, book, clinic
):
    seen = ticks(desk.post(f"{path}slots/", form).content.decode())
    book(patient=factories.make_patient(clinic), start=at("11:00", TUESDAY + 2 * WEEK))

    for url, more in ((f"{path}slots/", {}), (path, {"reason": "Snow"})):
        page = desk.post(url, form | seen | more).content.decode()
        said = re.search(r"Not in the list any more: ([^<]*)\. Look through the visits again, then move", page)
        assert said
        assert "11:00" in said[1]
        assert len(ticks(page)["later"]) == 1
        assert "2 visits" in page
    assert starts_of(series)[1:] == [at("10:00", TUESDAY + n * WEEK) for n in (1, 2, 3)]
    assert "Snow" in page

    answer = desk.post(path, form | ticks(page))
    assert "And 1 more visit." in str(list(get_messages(answer.wsgi_request))[-1])


def test_a_later_one_that_is_taken_at_the_last_moment_is_named_in_the_list_too(
    desk, path, form, series, book, clinic, monkeypatch
):
    seen = ticks(desk.post(f"{path}slots/", form).content.decode())
    move_following = services.move_following

    def meanwhile(**wanted):
        book(patient=factories.make_patient(clinic), start=at("11:00", TUESDAY + 2 * WEEK))
        return move_following(**wanted)

    monkeypatch.setattr(services, "move_following", meanwhile)
    page = desk.post(path, form | seen).content.decode()

    assert "was just taken" in page
    assert "Not in the list any more:" in page
    assert 'name="choose"' not in page
    assert starts_of(series)[1:] == [at("10:00", TUESDAY + n * WEEK) for n in (1, 2, 3)]


def test_where_a_later_one_is_now_can_be_chosen_and_is_not_held(desk, path, form, series):
    form |= {"start": value_of(series[2].start), "day": str(TUESDAY + 2 * WEEK), "week": str(TUESDAY + WEEK + DAY)}

    page = desk.post(f"{path}slots/", form).content.decode()

    assert f'value="{value_of(series[2].start)}" checked' in page
    assert "change, load" not in page
    assert not Hold.objects.exists()
    assert desk.post(path, form | ticks(page)).status_code == 302
    assert starts_of(series)[1:] == [at("10:00", TUESDAY + n * WEEK) for n in (2, 3, 4)]


def test_in_spanish(desk, path, form, front_desk):
    front_desk.language = "es"
    front_desk.save()

    page = desk.post(path, form).content.decode()

    assert "Mover igual las 2 visitas posteriores" in page
    assert "Lo que no está marcado se queda donde está." in page
