"""The audit trail as a file, from the admin."""

import csv
import re
import warnings
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import export
from accounts.audit.purposes import OF_ROLE
from accounts.audit.services import Action, Outcome, record
from accounts.models import AuditEvent, Clinic, Patient, User
from accounts.policy import Role
from tests import factories
from tests.accounts.test_stepup import grow_stale
from tests.conftest import staff

pytestmark = pytest.mark.django_db

ADDRESS = reverse("admin:accounts_auditevent_export")


def rows(browser: Client, **asked: str) -> list[dict[str, str]]:
    """The exported file, line by line."""
    answer = browser.post(ADDRESS, asked)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test client is no asynchronous server
        text = b"".join(answer).decode()
    return list(csv.DictReader(StringIO(text)))


@pytest.fixture
def trail(clinic: Clinic, other_clinic: Clinic, clinician: User, front_desk: User, patient: Patient) -> None:
    record("visit.view", Action.READ, clinic=clinic, user=clinician, patient=patient, detail={"n": 1})
    record("visit.admit", Action.EXECUTE, clinic=clinic, user=front_desk, outcome=Outcome.MINOR_FAILURE)
    record("patient.search", Action.EXECUTE, clinic=clinic, user=front_desk)
    record("visit.view", Action.READ, clinic=other_clinic)


@pytest.mark.usefixtures("trail")
def test_it_holds_the_own_clinics_rows_and_says_so_on_the_trail(verified, auditor, clinic, clinician, patient):
    found = rows(verified(auditor))

    assert [one["event"] for one in found] == ["patient.search", "visit.admit", "visit.view"]
    view = found[-1]
    assert (view["user"], view["user name"], view["patient"]) == (str(clinician.pk), "Amara Okafor", str(patient.pk))
    assert (view["clinic"], view["detail"], view["outcome"]) == (str(clinic.pk), '{"n": 1}', "0")
    assert view["recorded"].endswith("+00:00")
    event = AuditEvent.objects.get(subtype="audit.export")
    assert (event.user, event.clinic, event.detail) == (auditor, clinic, {"rows": 3, "by": []})


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("asked", "events"),
    [
        ({"subtype": "visit."}, ["visit.admit", "visit.view"]),
        ({"outcome": "4"}, ["visit.admit"]),
        ({"user": "clinician"}, ["visit.view"]),
        ({"patient": "patient"}, ["visit.view"]),
        ({"first": "2999-01-01"}, []),
        ({"last": "2020-01-01"}, []),
        ({"first": "2020-01-01", "last": "2999-12-31"}, ["patient.search", "visit.admit", "visit.view"]),
    ],
)
def test_it_holds_what_was_asked_for(verified, auditor, request, asked, events):
    if {"user", "patient"} & asked.keys():
        asked = {name: str(request.getfixturevalue(fixture).pk) for name, fixture in asked.items()}

    assert [one["event"] for one in rows(verified(auditor), **asked)] == events


def test_it_is_asked_for_by_address_and_role_and_so_is_the_list(verified, auditor, clinician, rf):
    for address in ("192.0.2.7", "2001:db8::7"):
        record("visit.view", Action.READ, principal=staff(clinician), request=rf.get("/", REMOTE_ADDR=address))
    browser = verified(auditor)

    def exported(**asked: str) -> list[str]:
        return [one["address"] for one in rows(browser, **asked) if one["event"] == "visit.view"]

    def listed(term: str) -> list[str]:
        page = browser.post(reverse("admin:accounts_auditevent_changelist"), {"q": term}, follow=True)
        return [event.address for event in page.context["cl"].result_list]

    assert exported(address="192.0.2.7") == listed("192.0.2.7") == ["192.0.2.7"]
    assert exported(address="2001:DB8:0::7") == listed(" 2001:DB8:0::7 ") == ["2001:db8::7"]
    assert exported(role="clinician") == ["2001:db8::7", "192.0.2.7"]
    assert exported(role="front_desk") == listed("192.0.2.8") == []


@pytest.mark.usefixtures("trail")
def test_a_period_is_of_days_on_the_clinics_clock(verified, auditor, clinic):

    today = timezone.localdate(timezone=ZoneInfo(clinic.time_zone)).isoformat()

    assert len(rows(verified(auditor), first=today, last=today)) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": "2026-02-02", "last": "2026-02-01"},
        {"first": "x"},
        {"last": "0001-01-01"},
        {"patient": "x"},
        {"user": "1"},
        {"address": "192.0.2"},
        {"role": "king"},
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_sent(verified, auditor, wrong):
    answer = verified(auditor).post(ADDRESS, wrong)

    assert "errorlist" in answer.content.decode()
    assert not AuditEvent.objects.filter(subtype="audit.export").exists()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(verified, auditor, clinic, name):
    record("visit.view", Action.READ, clinic=clinic, user=factories.make_user(name=name))

    assert rows(verified(auditor))[0]["user name"] == f"'{name}"


def test_it_comes_in_batches_whole(verified, auditor, clinic, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 3)
    for number in range(8):
        record("visit.view", Action.READ, clinic=clinic, detail={"n": number})

    assert [one["detail"] for one in rows(verified(auditor))] == [f'{{"n": {n}}}' for n in reversed(range(8))]


def test_it_is_for_who_may_read_the_trail(verified, password_only, clinician, front_desk, auditor, clinic_admin):
    for user in (clinician, front_desk):
        User.objects.filter(pk=user.pk).update(is_staff=True)
        assert verified(user).post(ADDRESS).status_code == 403
    for client in (Client(), password_only(auditor)):
        assert client.get(ADDRESS).status_code == 302
        assert client.post(ADDRESS).status_code == 403
    for user in (auditor, clinic_admin):
        assert verified(user).get(ADDRESS).status_code == 200


def test_somebody_of_another_clinic_is_no_choice(verified, auditor, stranger):
    page = verified(auditor).get(ADDRESS).content.decode()
    assert "Otto Auditor" in page
    assert "Sam Stranger" not in page

    assert "errorlist" in verified(auditor).post(ADDRESS, {"user": str(stranger.pk)}).content.decode()


def test_the_list_is_filtered_by_who_and_leads_to_the_export(verified, auditor, trail, clinician):
    browser: Any = verified(auditor)
    page = browser.get(reverse("admin:accounts_auditevent_changelist"), {"user__id__exact": str(clinician.pk)})

    assert ADDRESS in page.content.decode()
    table = page.content.decode().split('id="result_list"')[1].split("</table>")[0]
    assert "visit.view" in table
    assert "visit.admit" not in table


def test_it_wants_a_fresh_factor(verified, auditor):
    browser = grow_stale(verified(auditor))

    for asked in (browser.get(ADDRESS), browser.post(ADDRESS, {})):
        assert "Confirm that it is you" in asked.content.decode()
    assert not AuditEvent.objects.filter(subtype="audit.export").exists()


def test_each_event_has_a_purpose_by_its_role_or_by_what_it_says_itself(verified, auditor, clinic, clinician, patient):
    who = {"clinic": clinic, "patient": patient}
    record("visit.view", Action.READ, principal=staff(clinician), entity=patient, **who)
    record("intake.view", Action.READ, principal=staff(clinician), detail={"purpose": "BTG"}, **who)
    record("user.signin", Action.EXECUTE, user=clinician, clinic=clinic)
    record("records.retain", Action.DELETE, clinic=clinic)
    browser = verified(auditor)

    assert {one["event"]: one["purpose"] for one in rows(browser)} == {
        "visit.view": "TREAT", "intake.view": "BTG", "user.signin": "", "records.retain": "HSYSADMIN",
    }  # fmt: skip
    shown = browser.get(reverse("admin:accounts_auditevent_changelist"), {"purpose": "BTG"}).content.decode()
    assert re.findall(r"field-subtype[^>]*>([^<]*)<", shown) == ["intake.view"]
    event = AuditEvent.objects.get(subtype="intake.view")
    page = browser.get(reverse("admin:accounts_auditevent_change", args=[event.pk])).content.decode()
    assert "emergency access" in page
    assert {role for role in Role} == set(OF_ROLE), "every role has its purpose"
