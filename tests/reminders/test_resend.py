"""Sending a message again: who may, what it does, where it is of no use."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from tests.conftest import staff
from tests.reminders.conftest import announce, cancel
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication

State = Communication.State


@pytest.fixture
def sent(visit: Appointment, mail_server) -> Communication:
    announce(visit, "booked")
    services.send_due()
    return visit.communications.get(kind="confirmation")


def path(message: Communication) -> str:
    return reverse("reminders:send-again", kwargs={"pk": message.pk})


def repeats(message: Communication) -> int:
    return message.appointment.communications.filter(serial__gt=0).count()


def test_front_desk_sends_a_message_again_with_a_new_link(sent, front_desk, verified, mail_server):
    response = verified(front_desk).post(path(sent), {"next": "/today/"})

    assert response.status_code == 302
    assert response["Location"] == "/today/"
    again = sent.appointment.communications.get(serial=1)
    assert (again.kind, again.state) == ("confirmation", State.PLANNED)
    assert services.send_due() == 1
    assert mail_server.ids[0] != mail_server.ids[1]
    event = AuditEvent.objects.get(subtype="message.again")
    assert event.user == front_desk
    assert event.entity_id == str(again.pk)


def test_pressing_twice_sends_once(sent, clinician, mail_server):
    first = services.resend(principal=staff(clinician), communication=sent)
    second = services.resend(principal=staff(clinician), communication=sent)

    assert first == second
    assert services.send_due() == 1


def test_after_it_went_out_it_can_be_sent_once_more(sent, clinician, mail_server):
    for serial in (1, 2):
        assert services.resend(principal=staff(clinician), communication=sent).serial == serial
        assert services.send_due() == 1


def test_a_clinic_admin_may_too(sent, clinic_admin):
    assert services.resend(principal=staff(clinic_admin), communication=sent).serial == 1


def test_a_stranger_finds_nothing(sent, stranger, verified):
    assert verified(stranger).post(path(sent)).status_code == 404
    assert repeats(sent) == 0


def test_an_auditor_may_not(sent, auditor, verified):
    assert verified(auditor).post(path(sent)).status_code == 403
    assert repeats(sent) == 0


def test_nobody_without_a_second_factor(sent, front_desk, password_only, client):
    for caller in (password_only(front_desk), client):
        assert caller.post(path(sent)).status_code in {302, 403}
    assert repeats(sent) == 0


def test_looking_at_the_address_sends_nothing(sent, front_desk, verified):
    assert verified(front_desk).get(path(sent)).status_code == 405
    assert repeats(sent) == 0


def test_the_way_back_never_leads_elsewhere(sent, front_desk, verified):
    response = verified(front_desk).post(path(sent), {"next": "https://evil.example/"})

    assert response["Location"] == reverse("home")


def test_a_confirmation_of_a_cancelled_visit_is_refused(sent, clinician):
    sent.appointment.refresh_from_db()
    cancel(sent.appointment)

    with pytest.raises(services.NothingToSay) as refused:
        services.resend(principal=staff(clinician), communication=sent)
    assert refused.value.reason == Communication.Reason.CANCELLED


def test_without_an_address_the_page_says_so(visit, front_desk, verified):
    visit.patient.email = ""
    visit.patient.save()
    announce(visit, "booked")
    message = visit.communications.get(kind="confirmation")

    response = verified(front_desk).post(path(message), {"next": "/"})

    assert [str(note) for note in response.wsgi_request._messages] == ["Not sent: No address on file."]


def test_a_cancellation_that_perhaps_went_out_waits_for_a_person_who_has_the_buttons(sent, front_desk, verified):
    visit = sent.appointment
    visit.refresh_from_db()
    cancel(visit)
    message = visit.communications.get(kind="cancellation")
    Communication.objects.filter(pk=message.pk).update(
        state=State.UNKNOWN, reason=Communication.Reason.NO_ANSWER, dispatched_at=timezone.now()
    )

    page = verified(front_desk).get(reverse("room:visit", args=[visit.pk])).content.decode()

    assert path(message) in page
    assert reverse("reminders:arrived", args=[message.pk]) in page
    assert path(sent) not in page, "of a visit that is cancelled no confirmation is sent again"
    services.settle(principal=staff(front_desk), communication=message)
    message.refresh_from_db()
    assert message.state == State.SENT


def test_who_may_not_change_visits_sees_the_ledger_without_buttons(sent, auditor):
    (line,) = services.lines_of(staff(auditor), sent.appointment, [sent])
    assert (line.may_repeat, line.may_settle) == (False, False)


def test_of_two_delays_only_the_last_word_is_repeated(visit, clinician, mail_server):
    for number, minutes in enumerate((20, 0)):
        services.announce(visit, "running-late", serial_of=f"delay {number}", details={"minutes": minutes})
        services.send_due()
    first, last = visit.communications.filter(kind="running-late", channel="email").order_by("serial")

    with pytest.raises(services.NothingToSay):
        services.resend(principal=staff(clinician), communication=first)
    assert services.resend(principal=staff(clinician), communication=last).details["minutes"] == 0
    lines = services.lines_of(staff(clinician), visit, visit.communications.filter(kind="running-late"))
    may_repeat = {line.message.pk: line.may_repeat for line in lines}
    assert (may_repeat[first.pk], may_repeat[last.pk]) == (False, True)


def test_an_address_that_came_later_gets_the_message(visit, front_desk, mail_server):
    visit.patient.email = ""
    visit.patient.save()
    announce(visit, "booked")
    visit.patient.email = "new@example.org"
    visit.patient.save()

    services.resend(principal=staff(front_desk), communication=visit.communications.get(kind="confirmation"))

    assert services.send_due() == 1
    assert mail_server.arrived[0]["To"] == "new@example.org"
