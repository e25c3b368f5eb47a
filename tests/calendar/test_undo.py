"""A move that was a mistake: taken back by one press, for as long as that is possible."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from accounts.models import Practitioner, User
from tests import factories
from tests.calendar.conftest import TUESDAY, at
from tests.conftest import staff
from tests.party import browser, make_link
from visits.booking import services as booking
from visits.booking.days import value_of
from visits.booking.models import Appointment
from visits.calendar import moving
from visits.reminders.models import Communication

pytestmark = pytest.mark.django_db

LIVE = {"HX-Request": "true"}


@pytest.fixture
def visit(hours: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))


@pytest.fixture
def desk(verified: Any, front_desk: User, visit: Appointment) -> Client:
    """The front desk, who has just moved the visit to eleven."""
    client: Client = verified(front_desk)
    client.post(f"/calendar/move/{visit.pk}/", {"start": value_of(at("11:00"))}, headers=LIVE)
    return client


def path(visit: Appointment) -> str:
    return f"/calendar/move/{visit.pk}/undo/"


def week(client: Client) -> str:
    page = client.get("/calendar/week/", {"day": str(TUESDAY), "who": "clinic"}, headers=LIVE)
    return str(page.content.decode())


def start_of(visit: Appointment) -> Any:
    visit.refresh_from_db()
    return visit.start


def test_the_calendar_says_where_it_went_and_offers_to_undo_it_again_and_again(
    desk: Client, visit: Appointment
) -> None:
    for _look in range(2):
        page = week(desk)
        assert "Moved to Tue" in page
        assert f'action="{path(visit)}"' in page
        assert "Undo" in page


def test_undone_it_is_where_it_was_and_nobody_is_told(desk: Client, visit: Appointment) -> None:
    Communication.objects.all().delete()
    Communication.objects.create(
        appointment=visit, kind="confirmation", due_at=timezone.now(), state="sent", sent_at=timezone.now()
    )

    answer = desk.post(path(visit), {"revision": "1"}, headers=LIVE)

    assert (answer.status_code, start_of(visit)) == (204, at("10:20"))
    assert str(visit.pk) in answer["HX-Trigger"]
    page = week(desk)
    assert "Moved back to Tue" in page
    assert "The patient had not heard of the move, so no message goes out." in page
    assert "Undo" not in page
    assert not Communication.objects.filter(state="planned", kind="reschedule").exists()


def test_who_heard_of_the_move_and_cannot_be_reached_is_to_be_called(
    desk: Client, visit: Appointment, patient: Any
) -> None:
    patient.email = ""
    patient.save()

    desk.post(path(visit), {"revision": "1"}, headers=LIVE)

    assert "No message reaches the patient: call them." in week(desk)


def test_without_a_script_it_is_a_form_that_leads_back_to_the_week(desk: Client, visit: Appointment) -> None:
    answer = desk.post(path(visit), {"revision": "1"})

    assert answer["Location"] == f"/calendar/week/?day={TUESDAY}&who={visit.practitioner_id}"
    assert "Moved back to" in desk.get(answer["Location"]).content.decode()


def test_what_is_in_the_way_is_said_with_free_times(desk: Client, visit: Appointment) -> None:
    factories.make_visit(visit.practitioner, start=at("10:20"), visit_type=visit.visit_type)

    page = desk.post(path(visit), {"revision": "1"}, headers=LIVE).content.decode()

    assert "10:20 is taken" in page
    assert "The visit stays where it was: Tue" in page
    assert "Nearest free times:" in page
    assert start_of(visit) == at("11:00")


def test_what_was_changed_meanwhile_is_not_undone(
    desk: Client, visit: Appointment, verified: Any, clinician: User
) -> None:
    verified(clinician).post(f"/calendar/move/{visit.pk}/", {"start": value_of(at("11:40"))})

    assert "Undo" not in week(desk)
    assert "This move cannot be undone any more" in desk.post(path(visit), {"revision": "1"}).content.decode()
    assert start_of(visit) == at("11:40")


@pytest.mark.parametrize("change", [{"status": "arrived"}, {"status": "cancelled", "revision": 2}])
def test_it_is_offered_only_as_long_as_it_can_be_done(
    desk: Client, visit: Appointment, change: dict[str, object]
) -> None:
    Appointment.objects.update(**change)

    assert "Undo" not in week(desk)


def test_a_message_is_not_shown_for_ever(desk: Client, visit: Appointment) -> None:
    with freeze_time(timezone.now() + timedelta(minutes=11)):
        assert "Moved to" not in week(desk)


def test_to_a_time_that_has_gone_nothing_goes_back(
    visit: Appointment, front_desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking.move(principal=staff(front_desk), visit=visit, start=at("11:00"))
    session: Any = {moving.SESSION_MOVED: [str(visit.pk), 1]}
    monkeypatch.setattr(moving, "OFFERED_FOR", timedelta(days=365))

    for clock, can_go_back in (("10:19", True), ("10:20", False)):
        moved = moving.just_moved(staff(front_desk), session, at(clock))
        assert moved is not None
        assert moved.can_go_back == can_go_back


def test_it_is_offered_to_who_moved_it_alone(desk: Client, visit: Appointment, verified: Any, clinician: User) -> None:
    assert "Undo" not in week(verified(clinician))


@pytest.mark.parametrize("revision", ["", "x", "2", "-1", "999999999999", "١"])
def test_a_move_that_never_was_is_not_found(desk: Client, visit: Appointment, revision: str) -> None:
    assert desk.post(path(visit), {"revision": revision}).status_code == 404


def test_strangers_undo_nothing(
    client: Client,
    desk: Client,
    visit: Appointment,
    verified: Any,
    password_only: Any,
    stranger: User,
    clinic_admin: User,
    front_desk: User,
) -> None:
    assert verified(stranger).post(path(visit), {"revision": "1"}).status_code == 404
    assert verified(clinic_admin).post(path(visit), {"revision": "1"}).status_code == 403
    for visitor in (client, password_only(front_desk), browser(make_link(visit))):
        assert visitor.post(path(visit), {"revision": "1"}).status_code == 403
    assert desk.get(path(visit)).status_code == 405
    assert start_of(visit) == at("11:00")
