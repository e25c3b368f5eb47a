"""What a dump shows of sign-ins that failed: no address, neither of an account nor one that was made up."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from accounts.login import guessing
from accounts.models import Clinic, User
from accounts.policy import Role
from tests import factories
from tests.accounts.keys.test_canaries import database, redis_file
from tests.accounts.test_signin import SIGNIN

pytestmark = pytest.mark.django_db(transaction=True)

MADE_UP, REAL, TYPED = "canary-9c1d@example.org", "Owner-9c1d@example.org", "OWNER-9C1D@example.org"


@pytest.fixture
def owner(clinic: Clinic) -> User:
    """An account whose own row does not show its address, so that the dump would show another place."""
    cache.clear()
    return factories.make_member(clinic, Role.CLINICIAN, email="owner-9c1d@example.org")


def holding(dump: bytes, word: str) -> int:
    return dump.lower().count(word.lower().encode())


def test_a_failed_sign_in_leaves_no_address(owner: User) -> None:
    """Row 4 of the checklist: what was typed at the sign-in page is in no dump of the database or of Redis."""
    before = holding(database(), REAL)

    for email in (MADE_UP, TYPED):
        for _ in range(9):
            Client().post(SIGNIN, {"email": email, "password": "wrong", "next": f"/?{email}"})

    data, memory = database(), redis_file()
    assert AccessAttempt.objects.count() == 2
    assert holding(data, MADE_UP) == holding(memory, MADE_UP) == holding(memory, REAL) == 0
    assert holding(data, REAL) == before
    assert {row.username for row in AccessAttempt.objects.all()} == {guessing.hashed(one) for one in (MADE_UP, REAL)}


def test_what_was_counted_before_goes_with_the_upgrade(owner: User) -> None:
    values: dict[str, Any] = {"username": MADE_UP, "user_agent": "", "http_accept": "", "path_info": "/"}
    AccessAttempt.objects.create(**values, get_data="", post_data=f"email={MADE_UP}", failures_since_start=3)
    apps.get_model("axes", "AccessLog").objects.create(**values)
    last = MigrationExecutor(connection).loader.get_migration_by_prefix("accounts", "0014")

    assert last.name == "0014_tried_addresses"
    last.operations[0].code(apps, None)  # type: ignore[attr-defined]

    assert not AccessAttempt.objects.exists()
    assert not apps.get_model("axes", "AccessLog").objects.exists()
