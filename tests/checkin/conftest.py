"""A patient and a guest who have redeemed their links, as principals and as browsers."""

import pytest
from django.test import Client

from accounts.models import AccessLink
from accounts.principal import Principal
from tests.party import bearer, browser, make_link
from visits.booking.models import Appointment


@pytest.fixture
def patient_link(visit: Appointment) -> AccessLink:
    return make_link(visit)


@pytest.fixture
def as_patient(patient_link: AccessLink) -> Principal:
    return bearer(patient_link)


@pytest.fixture
def patient_client(patient_link: AccessLink) -> Client:
    return browser(patient_link)


@pytest.fixture
def as_guest(visit: Appointment) -> Principal:
    return bearer(make_link(visit, guest="Ines Ruiz"))


@pytest.fixture
def guest_client(visit: Appointment) -> Client:
    return browser(make_link(visit, guest="Ines Ruiz"))
