"""``manage.py rotate_keys``: stopped, repeated, and beside an application that goes on."""

import base64
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.keys import rotation
from accounts.models import AuditEvent, Patient, Practitioner
from tests import factories
from tests.accounts.keys.rings import LOST, NEW, OLD, ring
from visits.checkin.models import CheckIn

ROOT = Path(__file__).resolve().parents[3]


def make(practitioner: Practitioner, count: int) -> None:
    """``count`` check-ins under the key "old"."""
    with ring(OLD):
        for number in range(count):
            visit = factories.make_visit(practitioner, patient=patient(practitioner, number))
            CheckIn.objects.create(appointment=visit, location=f"{number} Harbour Street", callback_phone="5550100188")


def patient(practitioner: Practitioner, number: int) -> Patient:
    return factories.make_patient(practitioner.clinic, family_name=f"Number {number}")


def rotated() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_everything_comes_under_the_first_key_and_the_old_one_may_go(practitioner: Practitioner) -> None:
    """Row 4 of the checklist: keys are changed without losing what they sealed."""
    make(practitioner, 3)

    with ring(NEW, OLD):
        said = rotated()
        again = rotated()

    assert "checkin.CheckIn: 3 of 3" in said
    assert "No row uses 'old' any more" in said
    assert again.startswith("0 rows written.")
    with ring(NEW):
        assert sorted(row.location for row in CheckIn.objects.all()) == [f"{n} Harbour Street" for n in range(3)]
    events = [event.detail for event in AuditEvent.objects.filter(subtype="keys.rotate").order_by("pk")]
    assert [(detail["key"], detail["step"]) for detail in events] == [("new", "begin"), ("new", "end")] * 2
    assert events[0] == {"key": "new", "step": "begin"}
    assert events[1]["rows"] > events[3]["rows"] == 0


@pytest.mark.django_db
def test_what_the_application_changes_meanwhile_is_not_overwritten(
    practitioner: Practitioner, monkeypatch: Any
) -> None:
    make(practitioner, 2)
    rotate_row = rotation._rotate_row

    def change_before(row: Any, fields: Any) -> int:
        if isinstance(row, CheckIn):
            changed = CheckIn.objects.get(pk=row.pk)
            changed.location = "changed meanwhile"
            changed.save()
        return rotate_row(row, fields)

    with ring(NEW, OLD):
        monkeypatch.setattr(rotation, "_rotate_row", change_before)
        said = rotated()

        assert "2 rows written." in said, "the patients"
        assert {row.location for row in CheckIn.objects.all()} == {"changed meanwhile"}
        assert "No row uses 'old' any more" in said


@pytest.mark.django_db
def test_a_key_that_is_not_there_is_named_and_nothing_is_harmed(practitioner: Practitioner) -> None:
    make(practitioner, 1)

    with ring(NEW, LOST), pytest.raises(CommandError, match="Key 'old' is not among TELEHEALTH_DATA_KEYS"):
        rotated()

    with ring(OLD):
        assert CheckIn.objects.get().location == "0 Harbour Street"
    assert AuditEvent.objects.get(subtype="keys.rotate").detail == {"key": "new", "step": "begin"}


@pytest.mark.django_db
def test_keys_are_counted_by_what_is_under_them(practitioner: Practitioner) -> None:
    make(practitioner, 2)

    with ring(NEW, OLD):
        assert rotation.under_keys()["old"] >= 4


@pytest.mark.django_db(transaction=True)
def test_killed_midway_it_goes_on_where_it_was(practitioner: Practitioner) -> None:
    """A process of its own, killed after its first batch; another writes meanwhile."""
    make(practitioner, 6)
    code = (
        "import django; django.setup(); from accounts.keys import rotation;"
        "rotation.rotate(lambda model, done, of: print(done, flush=True) or input(), batch=2)"
    )
    keys = ",".join(f"{name}:{base64.b64encode(secret).decode()}" for name, secret in (NEW, OLD))
    environ = {**os.environ, "TELEHEALTH_DATA_KEYS": keys, "TELEHEALTH_DATABASE_URL": _database_url()}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"2\n", "the first batch is written"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    with ring(NEW, OLD):
        half = rotation.under_keys()
        assert half["new"] > 0
        assert half["old"] > 0
        changed = CheckIn.objects.order_by("-pk")[0]
        changed.location = "changed meanwhile"
        changed.save()
        assert "No row uses 'old' any more" in rotated()
    with ring(NEW):
        assert len({row.location for row in CheckIn.objects.all()}) == 6
        assert CheckIn.objects.get(pk=changed.pk).location == "changed meanwhile"


def _database_url() -> str:
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    return os.environ["TELEHEALTH_DATABASE_URL"].replace("/postgres?", f"/{found['NAME']}?")
