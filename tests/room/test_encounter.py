"""Opening, entering and ending a visit."""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.http import Http404
from django.utils import timezone

from accounts.models import AccessLink, AuditEvent, User
from accounts.principal import Principal
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.room.conftest import be_here, enter
from tests.threads import at_once
from visits.booking import services as booking
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.room import presence, services
from visits.room.models import Encounter, Presence, Seat
from visits.waiting import services as waiting
from visits.waiting.models import Ticket
from visits.waiting.signals import admitted as was_admitted


def test_the_visit_opens_when_the_patient_is_admitted(visit: Appointment, front_desk: User) -> None:
    was_admitted.send(sender=None, appointment=visit, principal=staff(front_desk))

    assert visit.encounter.status == Encounter.Status.IN_PROGRESS
    assert AuditEvent.objects.filter(subtype="visit.open", user=front_desk).count() == 1


def test_the_visit_opens_once(visit: Appointment, as_clinician: Principal) -> None:
    first = services.open_encounter(principal=as_clinician, visit=visit)

    assert services.open_encounter(principal=as_clinician, visit=visit) == first
    assert AuditEvent.objects.filter(subtype="visit.open").count() == 1


def test_a_clinician_may_come_before_the_patient(visit: Appointment, as_clinician: Principal) -> None:
    seat = enter(as_clinician, visit)

    assert seat.encounter.appointment == visit
    assert seat.role == "clinician"


def test_others_know_a_clinician_by_the_name_that_patients_see(admitted: Appointment, as_clinician: Principal) -> None:
    assert enter(as_clinician, admitted).name == "Dr. Amara Okafor"


def test_a_patient_may_not_come_before_being_admitted(
    visit: Appointment, as_patient: Principal, as_clinician: Principal
) -> None:
    enter(as_clinician, visit)

    with pytest.raises(services.NotOpen):
        enter(as_patient, visit)


def test_a_patient_cannot_open_the_visit(visit: Appointment, as_patient: Principal) -> None:
    with pytest.raises(services.NotOpen):
        services.open_encounter(principal=as_patient, visit=visit)


def test_coming_back_finds_the_same_seat_with_a_higher_epoch(encounter: Encounter, as_patient: Principal) -> None:
    first = enter(as_patient, encounter.appointment)
    second = enter(as_patient, encounter.appointment)

    assert (second.pk, second.epoch) == (first.pk, first.epoch + 1)


def test_a_patient_with_two_links_is_one_person(encounter: Encounter, as_patient: Principal) -> None:
    first = enter(as_patient, encounter.appointment)
    second = enter(bearer(make_link(encounter.appointment)), encounter.appointment)

    assert second.pk == first.pk


def test_two_guests_are_two_people(encounter: Encounter) -> None:
    seats = [enter(bearer(make_link(encounter.appointment, guest=name)), encounter.appointment) for name in "AB"]

    assert seats[0].pk != seats[1].pk


def guests_here(visit: Appointment, number: int) -> None:
    for n in range(number):
        be_here(bearer(make_link(visit, guest=f"Guest {n}")), visit)


def test_who_comes_when_the_visit_is_full_leaves_no_trace(
    encounter: Encounter, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = encounter.appointment
    guests_here(visit, services.PLACES - 2)
    be_here(as_patient, visit)
    be_here(as_clinician, visit)

    with pytest.raises(services.RoomFull):
        enter(bearer(make_link(visit, guest="One more")), visit)

    assert Seat.objects.filter(encounter=encounter).count() == services.PLACES
    assert AuditEvent.objects.filter(subtype="visit.join").count() == services.PLACES


def test_the_patient_and_a_clinician_find_their_places_kept(
    encounter: Encounter, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = encounter.appointment
    guests_here(visit, services.PLACES - 2)

    with pytest.raises(services.RoomFull):
        enter(bearer(make_link(visit, guest="One more")), visit)

    be_here(as_patient, visit)
    be_here(as_clinician, visit)


def test_who_is_in_a_full_visit_comes_back_to_it(
    encounter: Encounter, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = encounter.appointment
    guests_here(visit, services.PLACES - 2)
    be_here(as_clinician, visit)
    be_here(as_patient, visit)

    assert enter(as_patient, visit).epoch == 2


def test_a_place_that_somebody_left_is_free(
    encounter: Encounter, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = encounter.appointment
    guests_here(visit, services.PLACES - 2)
    be_here(as_patient, visit)
    seat = be_here(as_clinician, visit)
    gone = Seat.objects.filter(role="guest").latest("pk")
    presence.left(seat=gone.pk, epoch=gone.epoch, why=presence.LEFT)

    assert seat.pk != enter(bearer(make_link(visit, guest="One more")), visit).pk


def test_a_stranger_does_not_find_the_visit(encounter: Encounter, stranger: User) -> None:
    with pytest.raises(Http404):
        enter(staff(stranger), encounter.appointment)


def test_the_front_desk_has_no_seat(encounter: Encounter, front_desk: User) -> None:
    with pytest.raises(Http404):
        enter(staff(front_desk), encounter.appointment)


def test_ending_is_for_all_and_final(encounter: Encounter, as_clinician: Principal, as_patient: Principal) -> None:
    visit = encounter.appointment
    seat = enter(as_patient, visit)
    presence.connected(seat=seat.pk, epoch=seat.epoch)

    services.end(principal=as_clinician, visit=visit)

    encounter.refresh_from_db()
    visit.refresh_from_db()
    assert (encounter.status, encounter.ended_by) == ("finished", as_clinician.user)
    assert visit.status == Appointment.Status.FULFILLED
    assert not Presence.objects.filter(left_at=None).exists()
    assert not any(link.is_live() for link in AccessLink.objects.filter(resource_id=visit.pk))
    with pytest.raises(services.NotOpen):
        enter(as_clinician, visit)


def test_ending_twice_changes_nothing(encounter: Encounter, as_clinician: Principal, as_patient: Principal) -> None:
    be_here(as_patient, encounter.appointment)
    first = services.end(principal=as_clinician, visit=encounter.appointment)
    second = services.end(principal=as_clinician, visit=encounter.appointment)

    assert second.ended_at == first.ended_at is not None
    assert AuditEvent.objects.filter(subtype="visit.end").count() == 1


@pytest.mark.parametrize("who", ["front_desk", "stranger", "auditor"])
def test_only_clinicians_of_the_clinic_end_it(encounter: Encounter, who: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(Http404):
        services.end(principal=staff(request.getfixturevalue(who)), visit=encounter.appointment)


def test_patients_do_not_end_it(encounter: Encounter, as_patient: Principal) -> None:
    with pytest.raises(Http404):
        services.end(principal=as_patient, visit=encounter.appointment)


def test_a_visit_without_its_patient_cannot_be_ended(visit: Appointment, as_clinician: Principal) -> None:
    enter(as_clinician, visit)

    with pytest.raises(services.NotBegun):
        services.end(principal=as_clinician, visit=visit)


def test_a_visit_whose_patient_is_still_waiting_cannot_be_ended(encounter: Encounter, as_clinician: Principal) -> None:
    Ticket.objects.update(admitted_at=None, admitted_by=None)

    with pytest.raises(services.NotBegun):
        services.end(principal=as_clinician, visit=encounter.appointment)


def test_ending_a_visit_whose_patient_never_came_in_records_it_as_missed(
    encounter: Encounter, as_clinician: Principal, as_patient: Principal
) -> None:
    visit = encounter.appointment
    enter(as_patient, visit)  # tried, and their media never came through
    guest = be_here(bearer(make_link(visit, guest="Ana")), visit)

    ended = services.end(principal=as_clinician, visit=visit)

    visit.refresh_from_db()
    assert (ended.status, ended.ended_by) == ("finished", as_clinician.user)
    assert (visit.status, Presence.objects.get(seat=guest).left_why) == (Appointment.Status.NOSHOW, presence.ENDED)
    assert AuditEvent.objects.filter(subtype="appointment.miss", user=as_clinician.user).exists()
    assert all(link.is_live() for link in AccessLink.objects.filter(resource_id=visit.pk))


def let_in_a_while_ago() -> None:
    Ticket.objects.update(admitted_at=timezone.now() - waiting.JUST_LET_IN)


def test_who_was_let_in_and_never_came_in_can_be_missed(encounter: Encounter, front_desk: User) -> None:
    let_in_a_while_ago()

    waiting.miss(principal=staff(front_desk), visit=encounter.appointment)

    encounter.refresh_from_db()
    assert (encounter.status, encounter.appointment.status) == ("finished", "noshow")


def test_who_came_in_cannot_be_missed(encounter: Encounter, as_patient: Principal, front_desk: User) -> None:
    let_in_a_while_ago()
    seat = be_here(as_patient, encounter.appointment)
    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LOST)

    with pytest.raises(WrongState):
        waiting.miss(principal=staff(front_desk), visit=encounter.appointment)

    encounter.refresh_from_db()
    assert encounter.status == "in-progress"


@pytest.mark.parametrize("who", ["stranger", "auditor", "clinic_admin"])
def test_others_cannot_miss_it(encounter: Encounter, who: str, request: pytest.FixtureRequest) -> None:
    let_in_a_while_ago()

    with pytest.raises(Http404):
        waiting.miss(principal=staff(request.getfixturevalue(who)), visit=encounter.appointment)


def test_a_cancelled_visit_closes_its_room(encounter: Encounter, as_clinician: Principal) -> None:
    booking.cancel(principal=as_clinician, visit=encounter.appointment)

    encounter.refresh_from_db()
    assert encounter.status == Encounter.Status.FINISHED


def test_a_missed_visit_opens_again_when_the_patient_comes_after_all(
    visit: Appointment, as_clinician: Principal
) -> None:
    enter(as_clinician, visit)
    booking.miss(principal=as_clinician, visit=visit)
    visit = booking.arrive(principal=as_clinician, visit=visit)

    encounter = services.open_encounter(principal=as_clinician, visit=visit)

    assert (encounter.status, encounter.ended_at) == ("in-progress", None)


def test_other_changes_leave_the_room_open(encounter: Encounter) -> None:
    appointment_changed.send(
        sender=Appointment, appointment=encounter.appointment, change="arrived", principal=None, old_end=None
    )

    encounter.refresh_from_db()
    assert encounter.status == Encounter.Status.IN_PROGRESS


@pytest.mark.django_db(transaction=True)
def test_two_devices_of_a_patient_coming_at_once_are_one_person(encounter: Encounter) -> None:
    visit = encounter.appointment
    opened = services.opening_time(visit)
    devices = [(bearer(make_link(visit)), opened - timedelta(seconds=n)) for n in range(4)]

    def come(who: Principal, opened_at: datetime) -> Seat | None:
        with suppress(services.SeatTaken):
            return services.enter(principal=who, visit=visit, opened_at=opened_at, audio=True, video=True, e2ee=True)
        return None

    seats = at_once([partial(come, *device) for device in devices])

    seat = Seat.objects.get(role="patient")
    assert {came.pk for came in seats if came} == {seat.pk}
    assert sorted(came.epoch for came in seats if came) == list(range(1, seat.epoch + 1))
    assert (seats[0].epoch, seat.opened_at) == (seat.epoch, opened)  # who was opened last has it


@pytest.mark.django_db(transaction=True)
def test_ending_at_once_ends_once(encounter: Encounter, as_clinician: Principal, as_patient: Principal) -> None:
    be_here(as_patient, encounter.appointment)
    at_once([lambda: services.end(principal=as_clinician, visit=encounter.appointment)] * 4)

    assert AuditEvent.objects.filter(subtype="visit.end").count() == 1
