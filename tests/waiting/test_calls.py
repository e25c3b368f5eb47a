"""Visits by phone: staff call, nobody waits in a room, and what took place is said by who called."""

from datetime import timedelta

import pytest
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from tests import factories
from tests.conftest import staff
from tests.party import browser, make_link
from visits.booking import services as booking
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.room.models import Encounter
from visits.waiting import board, calls, services
from visits.waiting.models import Ticket

pytestmark = pytest.mark.django_db

Status = Appointment.Status
CALLED = "Call finished"


@pytest.fixture
def call(visit) -> Appointment:
    """The visit by phone, whose time has come five minutes ago."""
    visit.start, visit.end = timezone.now() - timedelta(minutes=5), timezone.now() + timedelta(minutes=15)
    visit.mode = "phone"
    visit.save()
    return visit


def url(name: str, visit: Appointment) -> str:
    return reverse(name, kwargs={"pk": visit.pk})


def text(answer) -> str:
    return answer.content.decode()


def row_of(visit: Appointment, user) -> board.Row:
    shown = board.board(staff(user), only_mine=False, now=timezone.now())
    return next(row for row in shown.later if row.visit == visit)


def test_a_call_that_took_place_is_finished_by_who_called_and_its_links_end(call, clinician, verified):
    link = make_link(call)

    page = text(verified(clinician).post(url("waiting:called", call), follow=True))

    assert "The call with Rosa Marín is noted as finished." in page
    call.refresh_from_db()
    link.refresh_from_db()
    assert (call.status, link.is_live()) == (Status.FULFILLED, False)
    changes = list(call.changes.values_list("change", "by", "role"))
    assert changes == [("arrived", clinician.pk, "clinician"), ("fulfilled", clinician.pk, "clinician")]
    assert AuditEvent.objects.filter(subtype="appointment.fulfil", user=clinician, entity_id=str(call.pk)).exists()
    assert not Ticket.objects.exists()
    record = text(verified(clinician).get(url("room:visit", call)))
    assert "Book a follow-up" in record
    assert reverse("summary:write", kwargs={"pk": call.pk}) in record


def test_finished_twice_is_once(call, clinician):
    for _ in range(2):
        calls.finish_call(principal=staff(clinician), visit=call)

    assert call.changes.count() == 2


def test_the_board_says_whom_to_call_and_asks_for_nothing_that_a_call_needs_not(call, clinician, verified):
    call.patient.phone = "(555) 010-0199"
    call.patient.save()
    call.check_in.delete()
    call.consent.delete()

    row = row_of(Appointment.objects.get(pk=call.pk), clinician)
    assert (row.kind, row.number) == ("call", "(555) 010-0199")
    assert {light.column: light.state for light in row.lights if light.column in {"details", "consent", "device"}} == {
        "details": "na",
        "consent": "na",
        "device": "na",
    }
    page = text(verified(clinician).get("/today/"))
    for words in ("By phone", 'href="tel:5550100199"', "To be called", CALLED, "Mark as missed"):
        assert words in page
    assert "Not here yet" not in page


def test_the_record_has_the_number_and_no_room(call, clinician, front_desk, verified):
    page = text(verified(clinician).get(url("room:visit", call)))

    for words in ("By phone. Call the patient at", 'href="tel:', CALLED, "No-show"):
        assert words in page
    for words in ("Open room", "The patient’s link", "Who was there"):
        assert words not in page
    assert CALLED not in text(verified(front_desk).get(url("room:visit", call)))
    assert verified(clinician).get(url("room:staff", call))["Location"] == url("room:visit", call)
    assert not Encounter.objects.exists()


def test_a_patient_without_a_number_is_named_as_such(call, clinician, verified):
    call.check_in.delete()
    call.patient.phone = ""
    call.patient.save()

    assert "there is no number of the patient" in text(verified(clinician).get(url("room:visit", call)))


def test_who_is_missed_and_reached_after_all_had_their_visit(call, clinician, front_desk, verified):
    page = text(verified(front_desk).post(url("waiting:noshow", call), follow=True))
    assert "Rosa Marín is marked as missed." in page
    assert "join the line" not in page

    assert calls.finish_call(principal=staff(clinician), visit=call).status == Status.FULFILLED


@pytest.mark.parametrize("what", ["video", "later", "cancelled"])
def test_what_is_no_call_whose_time_has_come_is_not_finished_so(call, clinician, verified, what):
    if what == "video":
        Appointment.objects.update(mode="video")
    elif what == "later":
        call.start += timedelta(minutes=40)
        call.end += timedelta(minutes=40)
        call.save()
    else:
        booking.cancel(principal=staff(clinician), visit=call)
    before = Appointment.objects.get().status

    with pytest.raises(WrongState):
        calls.finish_call(principal=staff(clinician), visit=call)
    page = text(verified(clinician).post(url("waiting:called", call), follow=True))
    assert "cannot be noted: its time has not come" in page
    assert Appointment.objects.get().status == before


def test_who_is_called_has_no_place_in_line(call, as_patient):
    patient = browser(make_link(call))

    assert patient.get(url("waiting:room", call))["Location"] == url("online:visit", call)
    with pytest.raises(services.LineClosed):
        services.arrive(principal=as_patient, visit=call)
    call.refresh_from_db()
    assert call.status == Status.BOOKED


@pytest.mark.parametrize(
    ("who", "status"), [("stranger", 404), ("front_desk", 403), ("clinic_admin", 403), ("auditor", 403)]
)
def test_others_finish_no_call(call, request, verified, who, status):
    user = request.getfixturevalue(who)

    assert verified(user).post(url("waiting:called", call)).status_code == status
    with pytest.raises(Http404):
        calls.finish_call(principal=staff(user), visit=call)
    call.refresh_from_db()
    assert call.status == Status.BOOKED


def test_without_a_second_factor_or_by_a_link_nobody_finishes_a_call(call, clinician, password_only):
    for client in (Client(), password_only(clinician), browser(make_link(call))):
        assert client.post(url("waiting:called", call)).status_code in {302, 403}
    call.refresh_from_db()
    assert call.status == Status.BOOKED


def test_a_call_that_another_clinics_clinician_names_is_not_found(call, other_clinic, stranger, verified):
    theirs = factories.make_visit(factories.make_practitioner(other_clinic), mode="phone", start=timezone.now())

    assert verified(stranger).post(url("waiting:called", theirs)).status_code == 302
    theirs.refresh_from_db()
    call.refresh_from_db()
    assert (theirs.status, call.status) == (Status.FULFILLED, Status.BOOKED)
