"""Every page speaks the language of the person it is for, until they switch."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.links import services as links
from accounts.models import AccessLink, User
from tests.party import browser, make_link
from visits.booking.models import Appointment

SPANISH = '<html lang="es"'


@pytest.fixture
def link(visit: Appointment) -> AccessLink:
    visit.patient.language = "es"
    visit.patient.save()
    return make_link(visit)


def page(client: Client, name: str, **where: Any) -> str:
    return client.get(reverse(name, kwargs=where)).content.decode()


def switch(client: Client, language: str) -> None:
    client.post(reverse("set_language"), {"language": language, "next": "/signin/"})


def test_a_patients_pages_speak_the_patients_language_until_they_switch(link: AccessLink) -> None:
    patient = browser(link)

    assert SPANISH in page(patient, "checkin:details", pk=link.resource_id)
    switch(patient, "en")
    assert SPANISH not in page(patient, "checkin:details", pk=link.resource_id)


def test_the_language_of_staff_does_not_become_that_of_a_patient_in_the_same_browser(
    link: AccessLink, clinician: User, verified: Any
) -> None:
    both = verified(clinician)
    session = both.session
    session["links"] = {str(link.resource_id): str(link.pk)}
    session.save()

    assert SPANISH in page(both, "checkin:details", pk=link.resource_id)
    assert SPANISH not in page(both, "waiting:today")


def test_staff_work_in_their_own_language_until_they_switch(clinician: User, verified: Any) -> None:
    User.objects.update(language="es")
    client = verified(clinician)

    assert SPANISH in page(client, "waiting:today")
    assert SPANISH in page(client, "accounts:password")
    switch(client, "en")
    assert SPANISH not in page(client, "waiting:today")


def test_pages_after_the_end_still_speak_to_the_patient(link: AccessLink) -> None:
    patient = browser(link)
    links.revoke(principal=None, link=link)

    assert SPANISH in page(patient, "room:left", pk=link.resource_id)
    assert SPANISH in page(patient, "accounts:link-needed")


def test_a_closed_link_is_explained_in_the_patients_language(visit: Appointment, link: AccessLink) -> None:
    closed, url = links.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=link.expires_at,
        patient=visit.patient,
    )
    links.revoke(principal=None, link=closed)

    answer = Client().get(url.removeprefix(settings.BASE_URL))

    assert answer.status_code == 410
    assert SPANISH in answer.content.decode()


def test_a_language_that_we_do_not_speak_counts_for_nothing(link: AccessLink) -> None:
    patient = browser(link)
    patient.cookies[settings.LANGUAGE_COOKIE_NAME] = "xx"

    assert SPANISH in page(patient, "checkin:details", pk=link.resource_id)
