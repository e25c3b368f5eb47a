"""The cast. Every feature has a stranger test: ``stranger`` is a clinician of another clinic."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory, override_settings
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.mfa.services import SESSION_CONFIRMED, make_recovery_codes
from accounts.models import Clinic, Patient, Practitioner, TOTPDevice, User
from accounts.policy import Role
from accounts.principal import Principal
from accounts.sessions.store import SessionStore
from tests import factories
from tests.flush import flush_past_triggers  # noqa: F401
from visits.booking.models import Appointment
from visits.schedule.models import VisitType


@pytest.fixture(autouse=True, scope="session")
def static_files_as_they_are() -> Iterator[None]:
    """Pages name static files that nobody has collected for a test."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_password_hashes() -> Iterator[None]:
    """A strong hash takes a quarter of a second, at each of hundreds of sign-ins."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def clinic(db: Any) -> Clinic:
    return factories.make_clinic(name="Riverside Family Clinic", slug="riverside")


@pytest.fixture
def other_clinic(db: Any) -> Clinic:
    return factories.make_clinic(name="Hilltop Practice", slug="hilltop")


@pytest.fixture
def clinician(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.CLINICIAN, name="Amara Okafor", email="amara@example.org")


@pytest.fixture
def front_desk(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.FRONT_DESK, name="Lee Park", email="lee@example.org")


@pytest.fixture
def clinic_admin(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.CLINIC_ADMIN, name="Ada Admin", email="ada@example.org", is_staff=True)


@pytest.fixture
def auditor(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.AUDITOR, name="Otto Auditor", email="otto@example.org", is_staff=True)


@pytest.fixture
def stranger(other_clinic: Clinic) -> User:
    return factories.make_member(other_clinic, Role.CLINICIAN, name="Sam Stranger", email="sam@example.org")


@pytest.fixture
def practitioner(clinic: Clinic, clinician: User) -> Practitioner:
    return factories.make_practitioner(clinic, clinician, name="Dr. Amara Okafor", specialty="Family medicine")


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return factories.make_patient(clinic, given_name="Rosa", family_name="Marín", email="rosa@example.org")


@pytest.fixture
def visit_type(clinic: Clinic) -> VisitType:
    return factories.make_visit_type(clinic, name="Follow-up", minutes=20)


@pytest.fixture
def visit(practitioner: Practitioner, patient: Patient, visit_type: VisitType) -> Appointment:
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type)


def staff(user: User) -> Principal:
    """The principal of a member of staff, for calling services."""
    membership = user.memberships.select_related("clinic").get()
    return Principal(clinic=membership.clinic, role=Role(membership.role), name=user.name, user=user)


def recovery_codes(user: User) -> list[str]:
    """New ones, as made on a page."""
    request: Any = RequestFactory().post("/")
    request.user, request.session = user, SessionStore()
    return make_recovery_codes(request=request)


def verify(client: Client, user: User) -> Client:
    """Sign ``user`` in on ``client`` with a second factor, just now, without the pages."""
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    device, _ = TOTPDevice.objects.get_or_create(user=user, name="phone", confirmed=True)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session[SESSION_CONFIRMED] = time.time()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


@pytest.fixture
def verified() -> Callable[[User], Client]:
    """``verified(user)``: a test client signed in as the user, second factor given."""
    return lambda user: verify(Client(), user)


@pytest.fixture
def password_only() -> Callable[[User], Client]:
    """``password_only(user)``: a test client with the password step alone done."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
