"""Patients and staff from and into files: checked before anything is saved, all or nothing, on the trail."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import time
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.mfa.services import SESSION_CONFIRMED
from accounts.models import AuditEvent, Invitation, Patient, User
from accounts.policy import Role
from accounts.roster import files
from accounts.roster import patients as roster
from tests import factories

PATIENTS = "/admin/accounts/patient/"
STAFF = "/admin/accounts/membership/"
HEAD = "given_name,family_name,birth_date,email,phone,language\n"
ROSA = "Rosa,Marín,1979-03-14,rosa@example.org,(555) 010-0177,es\n"


def choose(browser: Client, text: str | bytes, at: str = PATIENTS) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    return browser.post(f"{at}import/", {"file": SimpleUploadedFile("list.csv", content, "text/csv")})


def save(browser: Client, text: str, at: str = PATIENTS) -> Any:
    return browser.post(f"{at}import/", {"text": text})


def test_nothing_is_saved_before_it_was_shown(verified: Any, clinic_admin: User) -> None:
    browser = verified(clinic_admin)

    shown = choose(browser, HEAD + ROSA)

    assert shown.context["new"] == 1
    assert "Marín" in shown.content.decode()
    assert not Patient.objects.exists()
    assert not AuditEvent.objects.filter(subtype="patient.import").exists()

    save(browser, shown.context["text"])
    patient = Patient.objects.get()
    assert (patient.full_name, patient.birth_date, patient.language) == ("Rosa Marín", date(1979, 3, 14), "es")
    assert (patient.email, patient.clinic) == ("rosa@example.org", clinic_admin.memberships.get().clinic)
    event = AuditEvent.objects.get(subtype="patient.import")
    assert (event.user, event.detail) == (clinic_admin, {"rows": 1, "new": 1, "changed": 0})
    assert AuditEvent.objects.get(subtype="patient.add").patient == patient


def test_each_problem_is_named_by_row_and_column_and_nothing_is_saved(verified: Any, clinic_admin: User) -> None:
    browser = verified(clinic_admin)
    text = HEAD + ROSA + "Ben,,yesterday,no-address,1,en\nAmy,Li,1990-01-02,amy@example.org,2,xx\n" + ROSA

    rows = {row.number: row.errors for row in choose(browser, text).context["rows"]}
    save(browser, text)

    assert set(rows[3]) == {"family_name", "birth_date", "phone"}
    assert set(rows[4]) == {"language", "phone"}
    assert set(rows[5]) == {"family_name"}  # the same person once more
    assert not rows[2]
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("language", "birth", "phone"),
    [
        ("en", "A birth date is not before 1900, and not in the future.", "Check the phone number"),
        ("es", "Una fecha de nacimiento no es anterior a 1900 ni está en el futuro.", "Revise el teléfono"),
    ],
)
def test_a_birth_to_come_and_half_a_number_are_told_in_words(
    verified: Any, clinic_admin: User, language: str, birth: str, phone: str
) -> None:
    browser = verified(clinic_admin)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    text = HEAD + "Amy,Li,2999-03-14,amy@example.org,12,en\nAna,Li,1899-12-31,,,\n"

    first, second = choose(browser, text).context["rows"]

    assert first.errors["birth_date"] == second.errors["birth_date"] == birth
    assert phone in first.errors["phone"]


def test_who_is_there_is_changed_and_not_doubled(verified: Any, clinic_admin: User, patient: Patient) -> None:
    browser = verified(clinic_admin)
    same = f"{patient.given_name},{patient.family_name},{patient.birth_date},{patient.email},(555) 010-0199,en\n"

    save(browser, HEAD + same)
    patient.refresh_from_db()
    assert patient.phone == "(555) 010-0199"
    assert Patient.objects.count() == 1

    save(browser, f"id,{HEAD}{patient.pk},Rosa,Ruiz,1979-03-14,,,\n")
    patient.refresh_from_db()
    assert (patient.family_name, patient.phone) == ("Ruiz", "(555) 010-0199")  # what is empty stays
    event = AuditEvent.objects.filter(subtype="admin.change").order_by("pk").last()
    assert event
    assert (event.patient, event.detail) == (patient, {"fields": ["family_name"]})


def test_somebody_of_the_same_name_and_birth_date_is_asked_about(
    verified: Any, clinic_admin: User, patient: Patient
) -> None:
    text = f"{HEAD}rosa,{patient.family_name.upper()},{patient.birth_date},other@example.org,,\n"

    (row,) = choose(verified(clinic_admin), text).context["rows"]

    assert set(row.errors) == {"id"}


def test_who_was_erased_is_in_no_file_and_changed_by_none(verified: Any, clinic_admin: User, patient: Patient) -> None:
    Patient.objects.update(erased_at=timezone.now(), deactivated_at=timezone.now())
    browser = verified(clinic_admin)

    assert str(patient.pk) not in browser.post(f"{PATIENTS}export/", {}).content.decode("utf-8-sig")
    (row,) = choose(browser, f"id,{HEAD}{patient.pk},Rosa,Ruiz,1979-03-14,,,\n").context["rows"]
    assert set(row.errors) == {"id"}
    page = reverse("admin:accounts_patient_change", args=[patient.pk])
    assert browser.post(page, {"given_name": "Rosa"}).status_code == 403


@pytest.mark.parametrize(("column", "is_saved"), [("erased_at", False), ("deactivated_at", True)])
def test_what_others_did_while_a_long_file_was_read_stays_done(
    verified: Any, clinic_admin: User, patient: Patient, monkeypatch: pytest.MonkeyPatch, column: str, is_saved: bool
) -> None:
    """Nobody erased comes back by a file, and no closed record is opened by it."""
    text = f"id,{HEAD}{patient.pk},Rosa,Marín,{patient.birth_date},new@example.org,,en\n"
    before, check = patient.email, roster.check

    def meanwhile(*given: Any, **named: Any) -> Any:
        rows = check(*given, **named)
        Patient.objects.filter(pk=patient.pk).update(**{column: timezone.now()})
        return rows

    monkeypatch.setattr(roster, "check", meanwhile)
    answer = save(verified(clinic_admin), text)

    patient.refresh_from_db()
    assert not is_saved or getattr(patient, column) is not None  # else it was undone with all of the file
    assert patient.email == ("new@example.org" if is_saved else before)
    said = [str(one) for one in get_messages(answer.wsgi_request)]
    assert said == [
        "1 row was saved." if is_saved else "The list has changed meanwhile. Nothing was saved: choose the file again."
    ]


def test_a_patient_of_another_clinic_cannot_be_reached_by_id(
    verified: Any, clinic_admin: User, other_clinic: Any
) -> None:
    stranger = factories.make_patient(other_clinic, given_name="Zoe", family_name="Zz")

    (row,) = choose(verified(clinic_admin), f"id,{HEAD}{stranger.pk},Eve,Li,1990-01-02,,,\n").context["rows"]
    save(verified(clinic_admin), f"id,{HEAD}{stranger.pk},Eve,Li,1990-01-02,,,\n")

    stranger.refresh_from_db()
    assert set(row.errors) == {"id"}
    assert stranger.given_name == "Zoe"


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04rest of a spreadsheet",
        b"\xd0\xcf\x11\xe0old spreadsheet",
        HEAD.encode() + b"Rosa\x00,M,1979-03-14,,,\n",
        HEAD.encode() + b"Ros\xe9,M,1979-03-14,,,\n",
        b"",
        b"\n\n",
        b"name,secret\nx,y\n",
        b"given_name,family_name\nx,y\n",
        HEAD.encode() + b'"Rosa,M,1979-03-14,,,\n',
        HEAD.encode() + b"a,b,1979-03-14,,,,,too many\n",
        HEAD.encode() + b"x" * files.MAX_BYTES,
        HEAD.encode() + b"a,b,1979-03-14,,,\n" * (files.MAX_ROWS + 1),
    ],
)
def test_what_is_no_such_list_is_refused_in_words(verified: Any, clinic_admin: User, content: bytes) -> None:
    answer = choose(verified(clinic_admin), content)

    assert answer.status_code == 200
    assert answer.context["form"].errors["file"]
    assert not Patient.objects.exists()


def archive(kind: str) -> bytes:
    """A folder with one file, packed."""
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
            into.writestr("list.csv", bytes(10_000_000))
    else:
        with tarfile.open(fileobj=made, mode=kind) as into_tar:
            into_tar.addfile(tarfile.TarInfo("list.csv"))
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU",
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9",
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff;",
        Path(sys.executable).read_bytes()[:500_000],
        b"SQLite format 3\x00\x10\x00\x02\x02",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\nstream\nx\x9c\x03\x00\x00\x00\x00\x01\nendstream",
        b"\xff\xfe" + HEAD.encode("utf-16-le") + b"\x00\x00",
        gzip.compress(b"given_name" * 100_000),
        bz2.compress(b"given_name" * 100_000),
        lzma.compress(b"given_name" * 100_000),
        archive("w:"),
        archive("w:gz"),
        archive("zip"),
    ],
    ids=["png", "jpeg", "gif", "program", "sqlite", "pdf", "utf-16", "gzip", "bzip2", "xz", "tar", "tar-gzip", "zip"],
)
def test_pictures_programs_and_archives_by_a_name_of_lists_are_told_by_their_content(
    verified: Any, clinic_admin: User, content: bytes
) -> None:
    (words,) = choose(verified(clinic_admin), content).context["form"].errors["file"]

    assert words.startswith(("This is no text.", "This is a spreadsheet or an archive."))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_lists_are_read_as_spreadsheets_write_them(
    verified: Any, clinic_admin: User, encoding: str, separator: str
) -> None:
    text = (HEAD + ROSA).replace(",", separator)

    assert choose(verified(clinic_admin), text.encode(encoding)).context["new"] == 1


def test_an_export_runs_in_no_spreadsheet_and_is_read_back_unchanged(verified: Any, clinic_admin: User) -> None:
    clinic = clinic_admin.memberships.get().clinic
    factories.make_patient(clinic, given_name="=HYPERLINK(1)", phone="+1 555 010 0177", language="es")
    factories.make_patient(clinic, given_name="Eva", language="en")
    browser = verified(clinic_admin)

    answer = browser.post(f"{PATIENTS}export/", {"language": "es"})
    text = answer.content.decode("utf-8-sig")

    assert "'=HYPERLINK(1)" in text
    assert "'+1 555" in text
    assert "Eva" not in text
    assert "no-store" in answer["Cache-Control"]
    assert choose(browser, answer.content).context["same"] == 1
    event = AuditEvent.objects.get(subtype="patient.export")
    assert (event.user, event.detail) == (clinic_admin, {"rows": 1, "by": ["language"]})


def test_files_want_a_fresh_factor(verified: Any, clinic_admin: User, patient: Patient) -> None:
    browser = verified(clinic_admin)
    session = browser.session
    session[SESSION_CONFIRMED] = time.time() - 3600
    session.save()

    assert patient.family_name not in browser.post(f"{PATIENTS}export/", {}).content.decode()
    assert "stepup-code" in browser.get(f"{PATIENTS}import/").content.decode()
    assert choose(browser, HEAD + ROSA).status_code == 302
    assert "stepup-code" in save(browser, HEAD + ROSA).content.decode()
    assert Patient.objects.count() == 1


@pytest.mark.parametrize("page", ["import", "export", "template"])
@pytest.mark.parametrize("at", [PATIENTS, STAFF])
def test_files_are_the_clinic_admins_alone(
    verified: Any, password_only: Any, clinic_admin: User, auditor: User, clinician: User, stranger: User, page: str,
    at: str,
) -> None:  # fmt: skip
    address = f"{at}{page}/"

    assert verified(clinic_admin).get(address).status_code == 200
    assert [verified(user).get(address).status_code for user in (auditor, clinician, stranger)] == [403, 403, 403]
    assert password_only(clinic_admin).get(address).status_code == 302
    assert Client().get(address).status_code == 302


def test_the_example_can_be_imported(verified: Any, clinic_admin: User) -> None:
    browser = verified(clinic_admin)

    for at in (PATIENTS, STAFF):
        example = browser.get(f"{at}template/").content
        assert choose(browser, example, at).context["new"] == 1


# --- staff


@pytest.fixture
def mailed(monkeypatch: Any) -> list[str]:
    ids: list[str] = []
    monkeypatch.setattr("accounts.invitations.tasks.mail_invitation.delay", ids.append)
    return ids


def test_new_staff_are_invited_and_members_get_another_role(
    verified: Any, clinic_admin: User, clinician: User, mailed: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    text = f"email,name,role\nNia@example.org,Nia New,front_desk\n{clinician.email},{clinician.name},auditor\n"

    with django_capture_on_commit_callbacks(execute=True):
        save(verified(clinic_admin), text, STAFF)

    nia = Invitation.objects.get()
    assert mailed == [str(nia.pk)]
    assert (nia.email, nia.role, nia.created_by) == ("nia@example.org", Role.FRONT_DESK, clinic_admin)
    assert not User.objects.filter(email="nia@example.org").exists()
    assert clinician.memberships.get().role == Role.AUDITOR
    assert AuditEvent.objects.get(subtype="staff.import").detail == {"rows": 2, "new": 1, "changed": 1}
    assert AuditEvent.objects.get(subtype="invitation.send").detail == {"role": "front_desk"}
    given = AuditEvent.objects.get(subtype="admin.change", entity_type="Membership")
    assert given.detail == {"role": "auditor", "is_active": True}


def test_who_is_invited_already_is_not_invited_again(verified: Any, clinic_admin: User) -> None:
    browser, text = verified(clinic_admin), "email,name,role\nnia@example.org,Nia New,{role}\n"
    save(browser, text.format(role="front_desk"), STAFF)

    assert choose(browser, text.format(role="front_desk"), STAFF).context["same"] == 1
    (row,) = choose(browser, text.format(role="auditor"), STAFF).context["rows"]
    assert set(row.errors) == {"email"}


def test_whether_a_stranger_has_an_account_is_not_told(verified: Any, clinic_admin: User, stranger: User) -> None:
    text = f"email,name,role\n{stranger.email},Sam,clinician\nnobody@example.org,Sam,clinician\n"

    assert choose(verified(clinic_admin), text, STAFF).context["new"] == 2


def test_what_cannot_be_is_named(verified: Any, clinic_admin: User, clinician: User) -> None:
    text = (
        "email,name,role,is_active\n"
        "old@example.org,Old,clinician,no\n"
        "new@example.org,New,king,yes\n"
        "new@example.org,New,clinician,yes\n"
        f"{clinic_admin.email},Ada,auditor,yes\n"
        f"{clinician.email},Amara,clinician,perhaps\n"
    )

    rows = {row.number: set(row.errors) for row in choose(verified(clinic_admin), text, STAFF).context["rows"]}

    assert rows == {2: {"is_active"}, 3: {"role"}, 4: {"email"}, 5: {"role"}, 6: {"is_active"}}


def test_five_thousand_rows_are_checked_in_seconds(verified: Any, clinic_admin: User) -> None:
    text = io.StringIO()
    text.write("given_name,family_name,birth_date,email\n")
    for number in range(files.MAX_ROWS):
        text.write(f"Ana,Nr {number},1980-01-02,ana{number}@example.org\n")
    begun = time.monotonic()

    shown = choose(verified(clinic_admin), text.getvalue())

    assert shown.context["new"] == files.MAX_ROWS
    assert len(shown.context["rows"]) == 200
    assert time.monotonic() - begun < 30


def test_record_numbers_are_read_and_given_once(verified: Any, clinic_admin: User, patient: Patient) -> None:
    patient.record_number = "MR-0042"
    patient.save()
    head = "given_name,family_name,birth_date,record_number\n"
    browser = verified(clinic_admin)

    taken = choose(browser, head + "Ana,Ruiz,1990-01-01,mr 0042\n")
    assert [row.errors for row in taken.context["rows"]] == [
        {"record_number": "Another patient of the clinic has this record number."}
    ]
    doubled = choose(browser, head + "Ana,Ruiz,1990-01-01,7\nEva,Sol,1991-01-01,7\n")
    assert [row.errors for row in doubled.context["rows"] if row.errors] == [
        {"record_number": "This record number is in an earlier row."}
    ]

    save(browser, head + "Ana,Ruiz,1990-01-01,MR-0043\n")
    assert Patient.objects.get(record_number_hash__of="mr0043").full_name == "Ana Ruiz"
