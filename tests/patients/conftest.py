"""Patients with accounts, and the codes that are mailed to them."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import Patient, PatientCode, User
from accounts.patients import codes
from tests.party import make_account, sign_in

BORN = "3/14/1979"  # of the patients of tests.factories


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def account(patient: Patient) -> User:
    """Rosa's."""
    return make_account(patient)


@pytest.fixture
def rosa(account: User) -> Client:
    """Signed in."""
    return sign_in(account)


def code_sent() -> str:
    """Have the newest code delivered; read it in the mail."""
    codes.deliver(PatientCode.objects.select_related("patient__clinic").latest("created_at"))
    found = re.search(r"\b(\d{6})\b", mail.outbox[-1].body)
    assert found
    return found[1]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def ask_for_code(email: str, **extra: str) -> Client:
    """A browser that stands at the page for the code."""
    client = Client(**extra)
    answer = client.post("/me/signin/", {"email": email})
    assert answer["Location"] == "/me/signin/code/"
    return client


def type_code(client: Client, code: str, birth_date: str = BORN) -> object:
    return client.post("/me/signin/code/", {"code": code, "birth_date": birth_date})
