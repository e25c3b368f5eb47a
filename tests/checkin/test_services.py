from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404

from accounts.models import AuditEvent
from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from visits.booking.models import Appointment
from visits.checkin import services
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.checkin.services import Step

DETAILS = {"callback_phone": "(555) 010-0177", "location": "At home, 48 Alder Street", "emergency_contact": ""}


def agree(principal, visit):
    text = services.consent_text(visit.clinic, "en")
    return services.give_consent(principal=principal, visit=visit, text=text)


def get_ready(principal, visit):
    services.save_details(principal=principal, visit=visit, **DETAILS)
    agree(principal, visit)


def test_the_way_leads_from_details_to_devices_to_the_waiting_room(as_patient, visit):
    assert services.next_step(visit, as_patient) == Step.DETAILS
    services.save_details(principal=as_patient, visit=visit, **DETAILS)
    assert services.next_step(visit, as_patient) == Step.DETAILS
    agree(as_patient, visit)
    assert services.next_step(visit, as_patient) == Step.DEVICES
    services.record_devices(principal=as_patient, visit=visit, camera="ok", microphone="ok")
    assert services.next_step(visit, as_patient) == Step.WAITING


def test_a_guest_checks_devices_only_and_leaves_no_trace_in_the_patients_record(as_guest, visit):
    assert services.next_step(visit, as_guest) == Step.DEVICES

    services.record_devices(principal=as_guest, visit=visit, camera="ok", microphone="ok")

    assert not CheckIn.objects.exists()
    with pytest.raises(Http404):
        services.save_details(principal=as_guest, visit=visit, **DETAILS)
    with pytest.raises(Http404):
        agree(as_guest, visit)


def test_consent_is_recorded_once_with_its_version(as_patient, visit):
    """Row 27 of the checklist: consent is recorded with the version of its text."""
    first = agree(as_patient, visit)
    again = agree(as_patient, visit)

    assert first == again
    event = AuditEvent.objects.get(subtype="consent.give")
    assert (event.detail["version"], event.patient, event.link) == (1, visit.patient, as_patient.link)


@pytest.mark.django_db(transaction=True)
def test_consent_given_by_two_devices_at_once_is_one(as_patient, visit):
    def give(_):
        try:
            return agree(as_patient, visit).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(give, range(6)))) == 1
    assert AuditEvent.objects.filter(subtype="consent.give").count() == 1


def test_the_newest_text_in_the_language_of_the_page_counts(clinic):
    newer = ConsentText.objects.create(clinic=clinic, language="en", version=2, body="Newer.")

    assert services.consent_text(clinic, "en") == newer
    assert services.consent_text(clinic, "es").language == "es"
    assert services.consent_text(clinic, "fr") == newer


def test_agreeing_to_an_outdated_text_is_refused(as_patient, visit):
    old = services.consent_text(visit.clinic, "en")
    ConsentText.objects.create(clinic=visit.clinic, language="en", version=2, body="Newer.")

    with pytest.raises(services.ConsentTextChanged):
        services.give_consent(principal=as_patient, visit=visit, text=old)
    assert not Consent.objects.exists()


def test_another_clinics_text_is_refused(as_patient, visit, other_clinic):
    with pytest.raises(services.ConsentTextChanged):
        services.give_consent(principal=as_patient, visit=visit, text=services.consent_text(other_clinic, "en"))


def test_the_database_keeps_a_consent_as_it_was_given(as_patient, visit):
    consent = agree(as_patient, visit)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.filter(pk=consent.pk).update(patient=factories.make_patient(visit.clinic))
    with pytest.raises(IntegrityError), transaction.atomic():
        ConsentText.objects.filter(pk=consent.text_id).update(body="Something else")


def test_details_start_from_the_last_visit_and_the_file(as_patient, visit, practitioner):
    """Row 28 of the checklist: where the patient is, whom to call, asked anew for each visit."""
    assert services.details_to_start_from(visit).callback_phone == visit.patient.phone
    services.save_details(
        principal=as_patient, visit=visit, callback_phone="1234567", location="Home", emergency_contact="Luis"
    )

    later = factories.make_visit(practitioner, patient=visit.patient)

    start = services.details_to_start_from(later)
    assert (start.callback_phone, start.location, start.emergency_contact) == ("1234567", "Home", "Luis")
    assert not CheckIn.objects.filter(appointment=later).exists()


def test_other_patients_details_are_never_offered(as_patient, visit, practitioner):
    services.save_details(principal=as_patient, visit=visit, **DETAILS | {"emergency_contact": "Luis"})

    other = factories.make_visit(practitioner)

    assert services.details_to_start_from(other).emergency_contact == ""


@pytest.mark.parametrize("status", [Appointment.Status.CANCELLED, Appointment.Status.FULFILLED])
def test_nothing_more_is_taken_when_the_visit_is_closed(as_patient, visit, status):
    visit.status = status
    visit.save()

    with pytest.raises(services.VisitClosed):
        services.save_details(principal=as_patient, visit=visit, **DETAILS)
    with pytest.raises(services.VisitClosed):
        agree(as_patient, visit)
    with pytest.raises(services.VisitClosed):
        services.record_devices(principal=as_patient, visit=visit, camera="ok", microphone="ok")


def test_the_same_device_answer_again_is_not_audited_again(as_patient, visit):
    for camera in ("blocked", "blocked", "ok"):
        services.record_devices(principal=as_patient, visit=visit, camera=camera, microphone="ok")

    assert AuditEvent.objects.filter(subtype="checkin.devices").count() == 2
    assert CheckIn.objects.get().camera == "ok"


def test_a_link_to_another_visit_opens_nothing_here(visit, practitioner):
    other = factories.make_visit(practitioner)
    stranger = bearer(make_link(other))

    with pytest.raises(Http404):
        services.save_details(principal=stranger, visit=visit, **DETAILS)


def test_staff_do_not_check_in_for_a_patient(visit, clinician):
    with pytest.raises(Http404):
        agree(staff(clinician), visit)


def test_ready_means_details_and_consent(as_patient, visit):
    """Row 27 of the checklist: nobody is ready for a visit without it."""
    assert not services.is_ready(visit, as_patient)
    get_ready(as_patient, visit)
    assert services.is_ready(visit, as_patient)


def test_a_clinic_without_an_agreement_asks_for_none(as_patient, visit):
    ConsentText.objects.filter(clinic=visit.clinic).delete()
    services.save_details(principal=as_patient, visit=visit, **DETAILS)

    assert services.is_ready(visit, as_patient)
