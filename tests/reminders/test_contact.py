"""By what somebody wants to be written to: who says it, where, and what it changes."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Clinic, Patient, User
from tests import factories
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.reminders.models import Communication, ContactPreference, ReminderPolicy
from visits.reminders.services import preferences, rules

pytestmark = pytest.mark.django_db

EMAIL, SMS = Communication.Channel.EMAIL, Communication.Channel.SMS


@pytest.fixture
def texted(visit: Appointment) -> Appointment:
    """Of a clinic that also sends text messages."""
    ReminderPolicy.objects.update(sms=True)
    return visit


def own(visit: Appointment) -> str:
    return reverse("reminders:own-ways", args=[visit.pk])


def of(patient: Patient) -> str:
    return reverse("reminders:ways", args=[patient.pk])


def wants(recipient: Patient, channel: str) -> bool:
    known = preferences.of(recipient, channel)
    return known is None or known.opted_out_at is None


def test_patients_say_it_on_their_own_page_and_take_it_back(texted, patient):
    rosa = browser(make_link(texted))
    assert reverse("reminders:own-ways", args=[texted.pk]) in rosa.get(f"/my/{texted.pk}/visits/").content.decode()

    rosa.post(own(texted), {f"email-{patient.pk}": "on"})
    assert (wants(patient, EMAIL), wants(patient, SMS)) == (True, False)
    page = rosa.get(own(texted)).content.decode()
    assert "Saved." in page
    assert page.count(" checked") == 1
    assert patient.email not in page

    rosa.post(own(texted), {f"email-{patient.pk}": "on", f"sms-{patient.pk}": "on"})
    assert wants(patient, SMS)
    assert list(
        AuditEvent.objects.filter(subtype__startswith="contact.opt").order_by("pk").values_list("subtype", "role")
    ) == [
        ("contact.opt-out", "patient"),
        ("contact.opt-in", "patient"),
    ]


def test_who_wants_no_texts_gets_none_but_mail(texted, patient):
    preferences.opt_out(patient, SMS)
    message = Communication(appointment=texted, patient=patient, kind="reminder", revision=texted.revision, serial=1)

    message.channel = SMS
    assert rules.why_not(message, now=timezone.now()) == Communication.Reason.OPTED_OUT
    message.channel = EMAIL
    assert not rules.why_not(message, now=timezone.now())


def test_the_front_desk_notes_what_the_patient_and_who_acts_for_them_say(
    texted: Appointment, patient: Patient, front_desk: User, verified
) -> None:
    ana = factories.make_proxy(patient, phone="5550100199", messages="both")
    desk: Client = verified(front_desk)
    page = desk.get(of(patient)).content.decode()
    assert patient.email in page
    assert ana.email in page
    assert patient.phone in page  # as it is written in the record
    assert of(patient) in desk.get(f"/visits/{texted.pk}/").content.decode()

    desk.post(of(patient), {f"email-{patient.pk}": "on", f"sms-{ana.pk}": "on"})

    assert [wants(one, channel) for one in (patient, ana) for channel in (EMAIL, SMS)] == [True, False, False, True]
    event = AuditEvent.objects.filter(subtype="contact.opt-out").first()
    assert event is not None
    assert (event.user, event.patient) == (front_desk, patient)


def test_who_acts_for_a_patient_speaks_for_themselves(texted, patient):
    ana = factories.make_proxy(patient, phone="5550100199", manages=True)
    link = make_link(texted, proxy=ana)

    browser(link).post(own(texted), {f"email-{patient.pk}": "on", f"sms-{ana.pk}": "on"})

    assert (wants(ana, EMAIL), wants(ana, SMS)) == (False, True)
    assert not ContactPreference.objects.filter(related_person=None).exists()


def test_staff_see_that_messages_to_an_address_come_back(texted, patient, front_desk, verified):
    preferences.note_bounce(patient, EMAIL, patient.email)

    assert "Messages to this address come back." in verified(front_desk).get(of(patient)).content.decode()


def test_where_the_clinic_sends_no_texts_there_is_nothing_to_say_of_them(visit, patient):
    page = browser(make_link(visit)).get(own(visit)).content.decode()

    assert f"email-{patient.pk}" in page
    assert f"sms-{patient.pk}" not in page


def test_strangers_see_and_change_nothing(
    texted: Appointment, patient: Patient, clinic: Clinic, stranger: User, auditor: User, verified, password_only,
    front_desk: User, client: Client,
) -> None:  # fmt: skip
    other = factories.make_visit(texted.practitioner, patient=factories.make_patient(clinic))
    for caller, page in (
        (browser(make_link(other)), own(texted)),
        (client, own(texted)),
        (verified(stranger), of(patient)),
        (verified(auditor), of(patient)),
        (password_only(front_desk), of(patient)),
        (client, of(patient)),
    ):
        assert caller.get(page).status_code in {302, 403, 404}
        assert caller.post(page).status_code in {302, 403, 404}
    assert not ContactPreference.objects.exists()
