from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.checkin.test_services import get_ready
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.checkin import services, views
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.schedule.models import VisitType

pytestmark = pytest.mark.django_db


def url(name, visit):
    return reverse(f"checkin:{name}", args=[visit.pk])


def answers(visit, **more):
    text = services.consent_text(visit.clinic, "en")
    details = {"callback_phone": "(555) 010-0177", "location": "48 Alder Street", "emergency_contact": "Luis"}
    return details | {"agree": "on", "text": text.pk} | more


def test_a_redeemed_link_leads_to_the_details(patient_client, visit):
    response = patient_client.get(url("start", visit))

    assert response.url == url("details", visit)
    page = patient_client.get(response.url)
    assert page.status_code == 200
    content = page.content.decode()
    assert "Hello Rosa." in content
    assert "I agree to a video visit." in content
    assert "You can get ready now and come back." in content
    assert "Marín" not in content.split("</head>")[0]


def test_a_visit_by_phone_asks_for_no_agreement_to_a_visit_by_video(patient_client, visit):
    VisitType.objects.filter(pk=visit.visit_type_id).update(mode=VisitType.Mode.PHONE)
    Appointment.objects.filter(pk=visit.pk).update(mode=VisitType.Mode.PHONE)

    for response in (patient_client.get(url("details", visit)), patient_client.post(url("details", visit))):
        assert response.url == reverse("online:visit", args=[visit.pk])
    assert "video visit" not in patient_client.get(response.url).content.decode().lower()


def test_details_and_consent_are_kept_and_lead_on(patient_client, visit):
    response = patient_client.post(url("details", visit), answers(visit))

    assert response.url == url("start", visit)
    assert patient_client.get(response.url).url == url("devices", visit)
    assert CheckIn.objects.get().location == "48 Alder Street"
    assert Consent.objects.get().text.version == 1


def test_without_the_tick_nothing_typed_is_lost_and_nothing_is_saved(patient_client, visit):
    form = answers(visit, location="The very place I typed")
    del form["agree"]
    page = patient_client.post(url("details", visit), form).content.decode()

    assert "<title>Problem:" in page
    assert page.count("Tick the box to say you agree to a video visit") == 2
    assert "The very place I typed" in page
    assert not CheckIn.objects.exists()
    assert not Consent.objects.exists()


@pytest.mark.parametrize("phone", ["", "none", "123", "call me: 555 010 0177"])
def test_a_phone_number_that_cannot_be_called_is_refused(patient_client, visit, phone):
    page = patient_client.post(url("details", visit), answers(visit, callback_phone=phone)).content.decode()

    assert "There is a problem" in page
    assert not Consent.objects.exists()


def test_change_opens_one_fact_and_saves_nothing(patient_client, visit):
    page = patient_client.post(url("details", visit), answers(visit, change="location", emergency_contact="Typed"))

    content = page.content.decode()
    assert page.status_code == 200
    assert "There is a problem" not in content
    assert "Typed" in content
    assert content.count("fact-open") == 1
    assert not CheckIn.objects.exists()


def test_a_new_agreement_meanwhile_is_shown_and_nothing_is_lost(patient_client, visit):
    form = answers(visit)
    ConsentText.objects.create(clinic=visit.clinic, language="en", version=2, body="The newer words.")
    page = patient_client.post(url("details", visit), form).content.decode()

    assert "The agreement has changed" in page
    assert "The newer words." in page
    assert "48 Alder Street" in page
    assert not Consent.objects.exists()


def test_an_agreement_once_given_is_said_and_not_asked_again(patient_client, as_patient, visit):
    get_ready(as_patient, visit)
    page = patient_client.get(url("details", visit)).content.decode()

    assert "You agreed to a video visit on" in page
    assert 'name="agree"' not in page


def test_devices_come_after_the_details(patient_client, as_patient, visit):
    assert patient_client.get(url("devices", visit)).url == url("details", visit)
    get_ready(as_patient, visit)

    assert patient_client.get(url("devices", visit)).status_code == 200


def test_the_script_records_and_the_form_goes_on(patient_client, as_patient, visit):
    get_ready(as_patient, visit)
    found = {"camera": "blocked", "microphone": "ok"}

    assert patient_client.post(url("devices", visit), found, headers={"accept": "application/json"}).status_code == 204
    assert CheckIn.objects.get().camera == "blocked"
    response = patient_client.post(url("devices", visit), {"camera": "", "microphone": ""})
    assert response.url == reverse("waiting:room", args=[visit.pk])


@pytest.mark.parametrize("name", ["details", "devices"])
def test_a_visit_that_closes_while_the_answer_is_sent_says_so(patient_client, as_patient, visit, monkeypatch, name):
    if name == "devices":
        get_ready(as_patient, visit)
    takes_answers = views._takes_answers

    def close_right_after(found):
        answer = takes_answers(found)
        Appointment.objects.filter(pk=visit.pk).update(status="cancelled")
        return answer

    monkeypatch.setattr(views, "_takes_answers", close_right_after)
    response = patient_client.post(url(name, visit), answers(visit) if name == "details" else {"camera": "ok"})

    assert response.url == reverse("waiting:room", args=[visit.pk])
    assert not CheckIn.objects.filter(camera="ok").exists()


def test_an_unknown_device_state_is_refused(patient_client, as_patient, visit):
    get_ready(as_patient, visit)

    assert patient_client.post(url("devices", visit), {"camera": "hacked"}).status_code == 400


def test_a_guest_starts_with_the_devices(guest_client, visit):
    assert guest_client.get(url("start", visit)).url == url("devices", visit)
    page = guest_client.get(url("devices", visit)).content.decode()
    assert "Your details" not in page
    assert "Rosa" not in page
    assert guest_client.get(url("details", visit)).status_code == 404


@pytest.mark.parametrize("name", ["start", "details", "devices"])
def test_nobody_else_comes_in(name, visit, verified, clinician, stranger, practitioner):
    other = factories.make_visit(practitioner)

    for client in (Client(), verified(clinician), verified(stranger), browser(make_link(other))):
        for response in (client.get(url(name, visit)), client.post(url(name, visit), answers(visit))):
            assert response.status_code in {302, 403, 405}
            assert response.get("Location", reverse("accounts:link-needed")) == reverse("accounts:link-needed")
    assert not Consent.objects.exists()


@pytest.mark.parametrize("status", [Appointment.Status.CANCELLED, Appointment.Status.FULFILLED])
def test_a_closed_visit_says_so(patient_client, visit, status):
    visit.status = status
    visit.save()
    page = patient_client.get(url("details", visit), follow=True).content.decode()

    assert ("was cancelled" if status == Appointment.Status.CANCELLED else "This visit is over") in page


def test_a_visit_that_is_near_is_not_called_early(patient_client, visit):
    visit.start = timezone.now() + timedelta(minutes=20)
    visit.end = visit.start + timedelta(minutes=20)
    visit.save()

    assert "come back" not in patient_client.get(url("details", visit)).content.decode()
