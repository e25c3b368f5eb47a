"""Finding patients: by what people say on the phone, inside the clinic, without leaving a trace of the words."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.conftest import staff
from visits.booking import patients

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(clinic):
    rows = [
        ("Halima", "Yusuf", date(1985, 4, 30), "halima@example.org", "(555) 010-0119"),
        ("Erik", "Halvorsen", date(1967, 11, 3), "erik@example.org", "555.010.0151"),
        ("Álvaro", "Núñez", date(2001, 7, 8), "", "+1 555 010 0134"),
    ]
    return [
        factories.make_patient(clinic, given_name=given, family_name=family, birth_date=born, email=email, phone=phone)
        for given, family, born, email, phone in rows
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hal", {"Halima", "Erik"}),
        ("HALIMA", {"Halima"}),
        ("yusuf halima", {"Halima"}),
        ("nunez", {"Álvaro"}),
        ("álvaro NÚÑEZ", {"Álvaro"}),
        ("ÁLVA", {"Álvaro"}),
        ("4/30/1985", {"Halima"}),
        ("1985-04-30", {"Halima"}),
        ("30.4.1985", {"Halima"}),
        ("8/7/2001", {"Álvaro"}),
        ("1967", {"Erik"}),
        ("(555) 010-0119", {"Halima"}),
        ("5550100151", {"Erik"}),
        ("555 010 0134", {"Álvaro"}),
        ("+1 (555) 010-0134", {"Álvaro"}),
        ("010-0134", {"Álvaro"}),
        ("0134", {"Álvaro"}),
        ("núñez 0134", {"Álvaro"}),
        ("halima 5550100151", set()),
        ("3 1967", set()),
        ("134", set()),
        ("+1", set()),
        ("ERIK@Example.org", {"Erik"}),
        ("erik@example", set()),
        ("erik@example.org", {"Erik"}),
        ("hal 1967", {"Erik"}),
        ("nobody", set()),
        ("0000", set()),
        (".*", set()),
        ("%%", set()),
    ],
)
def test_patients_are_found_by_any_word_that_tells_them_apart(clinic, people, text, expected):
    assert {patient.given_name for patient in patients.find(clinic, text)} == expected


@pytest.mark.parametrize("text", ["", " ", "h", "(", "- -"])
def test_less_than_two_letters_find_nobody(clinic, people, text):
    assert patients.find(clinic, text) == []


def test_a_search_returns_few(clinic):
    for _ in range(patients.LIMIT + 3):
        factories.make_patient(clinic)

    assert len(patients.find(clinic, "marin")) == patients.LIMIT


def test_other_clinics_patients_are_not_found(people, other_clinic):
    assert patients.find(other_clinic, "halima") == []


def test_a_search_is_recorded_without_its_words(people, front_desk):
    patients.search(principal=staff(front_desk), text="halima")

    event = AuditEvent.objects.get(subtype="patient.search")
    assert (event.user, event.detail, event.patient) == (front_desk, {"found": 1}, None)


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
def test_roles_that_may_not_search_are_refused(role, request):
    with pytest.raises(PermissionDenied):
        patients.search(principal=staff(request.getfixturevalue(role)), text="halima")


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
def test_roles_that_may_not_book_add_nobody(role, request):
    details = patients.Details("Halima", "Yusuf", date(1985, 4, 30))

    with pytest.raises(PermissionDenied):
        patients.add(principal=staff(request.getfixturevalue(role)), details=details)

    assert not Patient.objects.exists()


def test_a_record_number_finds_its_patient_however_it_is_written(clinic, other_clinic, patient):
    patient.record_number = "MR-0042"
    patient.save()
    elsewhere = factories.make_patient(other_clinic, record_number="MR-0042")

    for typed in ("MR-0042", "mr0042", "Mr.0042"):
        assert patients.find(clinic, typed) == [patient]
    assert patients.find(clinic, "MR-004") == []
    assert patients.find(other_clinic, "MR-0042") == [elsewhere]


def test_the_database_gives_a_record_number_once_in_a_clinic(clinic, patient):
    patient.record_number = "MR-0042"
    patient.save()

    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_patient(clinic, record_number="mr 0042")
    with connection.cursor() as cursor:
        cursor.execute("SELECT record_number FROM accounts_patient")
        assert "0042" not in str(cursor.fetchall())
