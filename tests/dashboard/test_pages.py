"""The dashboard's page and files: what they say, and who may read them."""

import csv
import re
from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time

from accounts.models import AuditEvent, Clinic, Patient, Practitioner, User
from accounts.policy import Role
from tests import factories
from tests.booking.conftest import at as at_on
from tests.dashboard.conftest import Fill
from visits.booking.models import Appointment

TODAY = date(2026, 11, 29)
NAMES = ["visits", "no-shows", "waiting", "punctuality", "messages", "quality", "sign-ins"]
FILES = [f"/dashboard/{name}.csv" for name in NAMES]


@pytest.fixture(autouse=True)
def _a_sunday_in_november() -> object:
    with freeze_time("2026-11-29 18:00"):
        yield


@pytest.fixture
def page(clinic_admin: User, verified: Callable[[User], Client]) -> Callable[..., str]:
    def get(path: str = "/dashboard/", **asked: object) -> str:
        answer = verified(clinic_admin).get(path, asked)
        assert answer.status_code == 200
        return str(answer.content.decode())

    return get


@pytest.fixture
def visits(practitioner: Practitioner, patient: Patient) -> list[Appointment]:
    """113 taken place, 7 missed and 5 cancelled in 30 days; in those before 9 missed of 20."""
    found = []
    for number, status in enumerate(["fulfilled"] * 113 + ["noshow"] * 7 + ["cancelled"] * 5 + ["booked"] * 2):
        start = at_on("00:00", TODAY - timedelta(days=1 + number % 30)) + timedelta(minutes=10 * (number // 30) + 10)
        found.append((start, status))
    for number, status in enumerate(["fulfilled"] * 11 + ["noshow"] * 9):
        found.append((at_on("23:50", TODAY - timedelta(days=31 + number)), status))
    kind = factories.make_visit_type(practitioner.clinic, minutes=5)
    return [
        factories.make_visit(practitioner, patient=patient, visit_type=kind, start=start, status=status)
        for start, status in found
    ]


def says(page: str, name: str) -> str:
    found = re.search(rf'id="{name}" .*?<p class="says">(.*?)</p>', page, re.DOTALL)
    assert found
    return found[1].replace("\xa0", " ")


def test_each_chart_has_a_sentence_that_says_what_it_shows(page: Callable[..., str], visits: list[Appointment]) -> None:
    text = page()

    assert says(text, "visits") == "113 visits took place, 102 more than in the 30 days before."
    assert says(text, "no-shows") == "Of 120 visits 7 were missed (6 %), 2 fewer than in the 30 days before."
    assert "2 more have no outcome yet." in text
    assert "October 30 – November 28, 2026" in text
    assert "whole days of the clinic, in Central Time" in text


def test_the_same_in_spanish(page: Callable[..., str], visits: list[Appointment], clinic_admin: User) -> None:
    User.objects.filter(pk=clinic_admin.pk).update(language="es")

    text = page()

    assert says(text, "visits") == "Se realizaron 113 visitas, 102 más que en los 30 días anteriores."
    assert says(text, "no-shows") == "De 120 visitas, 7 se perdieron (6 %), 2 menos que en los 30 días anteriores."


def test_each_chart_has_words_for_readers_and_a_table(page: Callable[..., str], visits: list[Appointment]) -> None:
    text = page(days="7")

    section = re.search(r'<section class="card figure" id="visits".*?</section>', text, re.DOTALL)
    assert section
    assert 'role="img" aria-labelledby="visits-title" aria-describedby="visits-desc"' in section[0]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", section[0])
    assert rows[0][0] == "Sun, Nov 22"
    assert sum(int(re.findall("<td>(.*?)</td>", cells)[0]) for _name, cells in rows) == 28
    assert "style=" not in text
    assert "<script>" not in text


def test_days_without_anything_say_so(page: Callable[..., str], practitioner: Practitioner) -> None:
    text = page()

    assert says(text, "visits") == "There was no visit on these days."
    assert says(text, "sign-ins") == "No sign-in failed on these days."
    assert text.count("on these days.") == 7
    assert 'role="img"' not in text


@pytest.mark.parametrize("asked", ["7", "30", "90", "365", "0", "-1", "31", "x", "٧", "1e9", ""])
def test_a_length_that_is_not_offered_is_the_usual_one(page: Callable[..., str], clinic: Clinic, asked: str) -> None:
    text = page(days=asked)

    shown = asked if asked in {"7", "30", "90", "365"} else "30"
    assert f'<a href="?days={shown}" aria-current="true">' in text


def test_a_file_has_the_numbers_of_the_table(page: Callable[..., str], visits: list[Appointment]) -> None:
    rows = list(csv.reader(StringIO(page("/dashboard/visits.csv"))))

    assert rows[0] == [
        "Day", "Taken place", "Missed", "Cancelled", "Before: Taken place", "Before: Missed", "Before: Cancelled",
    ]  # fmt: skip
    assert [row[0] for row in rows[1:3]] == ["2026-10-30", "2026-10-31"]
    assert [sum(int(row[n]) for row in rows[1:]) for n in range(1, 7)] == [113, 7, 5, 11, 9, 0]
    event = AuditEvent.objects.get(subtype="dashboard.export")
    assert event.detail == {"figure": "visits", "days": 30}


def test_a_file_by_weeks_says_from_when_to_when(page: Callable[..., str], visits: list[Appointment]) -> None:
    rows = list(csv.reader(StringIO(page("/dashboard/no-shows.csv", days="90"))))

    assert [row[0] for row in rows[1:3]] == ["2026-08-31/2026-09-05", "2026-09-06/2026-09-12"]


def test_no_page_and_no_file_names_a_patient(
    page: Callable[..., str], practitioner: Practitioner, clinic: Clinic, fill: Fill
) -> None:
    patient = factories.make_patient(
        clinic, given_name="Zzcanary", family_name="Zzcanary", email="zzcanary@example.org"
    )
    fill(practitioner, patient, TODAY, 30)

    for path in ("/dashboard/", *FILES):
        text = page(path)
        assert "zzcanary" not in text.lower()
        assert str(patient.pk) not in text


def test_another_clinic_shows_in_no_number(page: Callable[..., str], stranger: User, fill: Fill) -> None:
    def shown() -> list[str]:
        return [page("/dashboard/").partition("<main")[2].partition("</main>")[0], *(page(path) for path in FILES)]

    before = shown()
    theirs = factories.make_practitioner(stranger.memberships.get().clinic, stranger)
    fill(theirs, factories.make_patient(theirs.clinic), TODAY, 30)

    assert shown() == before


@pytest.mark.parametrize("path", ["/dashboard/", *FILES])
def test_only_who_runs_the_clinic_comes_in(
    path: str, verified: Callable[[User], Client], password_only: Callable[[User], Client], client: Client,
    clinic_admin: User, clinician: User, front_desk: User, auditor: User,
) -> None:  # fmt: skip
    assert verified(clinic_admin).get(path).status_code == 200
    for other in (clinician, front_desk, auditor):
        assert verified(other).get(path).status_code == 403
    for browser in (client, password_only(clinic_admin)):
        answer = browser.get(path)
        assert answer.status_code == 302
        assert "/dashboard/" not in answer["Location"].partition("?")[0]
    assert verified(clinic_admin).post(path).status_code == 405


def test_a_figure_that_there_is_not_is_not_found(clinic_admin: User, verified: Callable[[User], Client]) -> None:
    assert verified(clinic_admin).get("/dashboard/patients.csv").status_code == 404


def test_who_runs_the_clinic_finds_it_in_the_menu(
    clinic_admin: User, front_desk: User, verified: Callable[[User], Client]
) -> None:
    ada = verified(clinic_admin)
    assert 'href="/dashboard/"' in ada.get("/today/").content.decode()
    assert 'href="/dashboard/"' in ada.get("/admin/").content.decode()
    assert 'href="/dashboard/"' not in verified(front_desk).get("/today/").content.decode()


def test_the_page_has_as_many_queries_for_much_as_for_nothing(
    clinic_admin: User, practitioner: Practitioner, patient: Patient, verified: Callable[[User], Client], fill: Fill
) -> None:
    ada = verified(clinic_admin)

    def queries(days: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            ada.get("/dashboard/", {"days": days})
        return len(seen)

    empty = queries(30)
    fill(practitioner, patient, TODAY, 30, much=15)

    assert {queries(days) for days in (7, 30, 365)} == {empty}


def test_who_runs_another_clinic_sees_that_one(
    other_clinic: Clinic, visits: list[Appointment], verified: Callable[[User], Client]
) -> None:
    other = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)

    assert "There was no visit on these days." in verified(other).get("/dashboard/").content.decode()
