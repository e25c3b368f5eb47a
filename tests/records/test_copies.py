"""Copies of whole records: what is in them, and who gets one, once."""

import json
from base64 import b64encode
from datetime import timedelta
from html.parser import HTMLParser
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.http import Http404
from django.test import Client
from django.utils import timezone, translation

from accounts.audit.services import Action, record
from accounts.models import AuditEvent, RelatedPerson, TOTPDevice
from tests import factories
from tests.conftest import staff, verify
from tests.party import bearer, make_account, make_link
from tests.records.conftest import CANARY, PHONE
from tests.records.fhir import SCHEMA, check_read, check_schema, references
from tests.threads import at_once
from visits.records import tasks
from visits.records.errors import NotOpen
from visits.records.making import copy_of
from visits.records.models import RecordCopy
from visits.records.resources import KINDS
from visits.records.services import copies

pytestmark = pytest.mark.django_db

State = RecordCopy.State


def unpacked(file: bytes) -> dict[str, str]:
    with ZipFile(BytesIO(file)) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


def bundle_of(file: bytes):
    return json.loads(unpacked(file)["record.json"])


def of_kind(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


@pytest.fixture
def ready(rosa, lived, as_admin):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked at the desk")
    assert copies.make(copy.pk)
    copy.refresh_from_db()
    return copy


# --- what is in it


def test_it_has_something_of_everything(rosa, lived):
    bundle = bundle_of(copy_of(rosa))

    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds >= {
        "Patient", "Organization", "Practitioner", "Appointment", "Encounter", "Consent", "Communication",
        "QuestionnaireResponse", "AuditEvent", "Composition", "RelatedPerson",
    }  # fmt: skip
    (patient,) = of_kind(bundle, "Patient")
    assert patient["birthDate"] == "1979-03-14"
    assert {one["value"] for one in patient["telecom"]} == {f"{CANARY}@example.org", PHONE}
    (encounter,) = of_kind(bundle, "Encounter")
    assert encounter["class"]["code"] == "VR"
    assert encounter["period"] == {"start": "2010-05-04T15:00:00.000Z", "end": "2010-05-04T15:18:00.000Z"}
    assert [one["display"] for one in (p["individual"] for p in encounter["participant"][1:])] == [
        "Amara Okafor",
        f"{CANARY} guest",
    ]
    (intake,) = [one for one in of_kind(bundle, "QuestionnaireResponse") if one["id"].startswith("intake-")]
    assert [one["answer"] for one in intake["item"]] == [
        [{"valueBoolean": True}],
        [{"valueInteger": 0}],
        [{"valueString": f"{CANARY} knee"}],
        [{"valueDate": "2010-05-01"}],
    ]
    assert {one["status"] for one in of_kind(bundle, "Appointment")} == {"fulfilled", "cancelled"}
    assert {one["agent"][0]["who"]["display"] for one in of_kind(bundle, "AuditEvent")} == {"Amara Okafor", "Lee Park"}


def test_another_program_reads_it_as_r4(rosa, lived):
    """Row 35 of the checklist: what is exported is FHIR, and reads back as it was."""
    bundle = bundle_of(copy_of(rosa))

    check_read(bundle)


@pytest.mark.skipif(not SCHEMA.exists(), reason="there is no copy of the JSON schema of FHIR R4 (FHIR_R4_SCHEMA)")
def test_the_official_schema_takes_it(rosa, lived):
    bundle = bundle_of(copy_of(rosa))

    check_schema(bundle)
    bundle["entry"][0]["resource"]["gender"] = "no such code"
    with pytest.raises(AssertionError, match="gender"):
        check_schema(bundle)


def test_every_reference_leads_to_something_in_it(rosa, lived):
    bundle = bundle_of(copy_of(rosa))

    there = {f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle["entry"]}
    assert references(bundle) <= there
    assert len(there) == len(bundle["entry"])


def test_nothing_of_another_patient_is_in_it(rosa, lived, practitioner, clinician, front_desk):
    other = factories.make_patient(rosa.clinic, given_name="Otra", family_name="Persona", email="otra@example.org")
    factories.make_visit(practitioner, patient=other)

    for text in unpacked(copy_of(rosa)).values():
        assert "Otra" not in text
        assert str(other.pk) not in text


def test_a_clinic_that_keeps_names_to_itself_does_so_here(rosa, lived):
    rosa.clinic.names_staff = False

    bundle = bundle_of(copy_of(rosa))

    assert all("who" not in one["agent"][0] for one in of_kind(bundle, "AuditEvent"))
    assert {one["agent"][0]["role"][0]["text"] for one in of_kind(bundle, "AuditEvent")} == {"Clinician", "Front desk"}


def test_the_account_is_in_it_with_its_factors_and_what_was_done_at_it_and_no_secret(rosa, lived):
    account = make_account(rosa)
    client = verify(Client(), account)
    device = TOTPDevice.objects.get(user=account)
    device.name = "Rosa’s phone"
    device.save()
    record("user.signin", Action.EXECUTE, user=account, entity=account, patient=rosa, detail={"step": "code"})
    client.post("/signout/")

    file = copy_of(rosa)

    (person,) = of_kind(bundle_of(file), "Person")
    assert (person["active"], person["link"]) == (True, [{"target": {"reference": f"Patient/{rosa.pk}"}}])
    said = {one["url"]: one for one in person["extension"][0]["extension"]}
    assert (said["kind"]["valueCode"], said["name"]["valueString"]) == ("totp", "Rosa’s phone")
    deeds = [one for one in of_kind(bundle_of(file), "AuditEvent") if one["type"]["code"] == "110114"]
    assert [one["subtype"][0]["code"] for one in deeds] == ["user.signin", "user.signout"]
    check_read(bundle_of(file))
    texts = unpacked(file)
    assert all(device.key not in text for text in texts.values())
    assert sum("Rosa’s phone" in text for text in texts.values()) == len(texts)


def test_the_account_of_who_acts_for_the_patient_is_theirs(rosa, lived):
    make_account(RelatedPerson.objects.get())

    assert of_kind(bundle_of(copy_of(rosa)), "Person") == []


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Record of", "Visits", "What you agreed to", "Who opened your record", "Clinician", "11:00"]),
        ("es", ["Expediente de", "Visitas", "Quién abrió su expediente", "Recepción"]),
    ],
)
def test_people_can_read_it_in_both_languages(rosa, lived, language, words):
    page = unpacked(copy_of(rosa))[f"record-{language}.html"]

    for one in [*words, f"{CANARY}-family", f"{CANARY} Lane 1", PHONE, "I agree to a video visit."]:
        assert one in page, one
    read = Text()
    read.feed(page)
    assert "script" not in read.tags
    assert all(link.startswith("#") for link in read.links)


def test_what_people_typed_runs_nowhere(rosa, lived):
    rosa.given_name = "<script>alert(1)</script>"

    page = unpacked(copy_of(rosa))["record-en.html"]

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_making_one_leaves_the_language_as_it_was(rosa, lived):
    with translation.override("es"):
        copy_of(rosa)
        assert translation.get_language() == "es"


# --- making it


def test_it_is_made_by_a_worker_that_says_how_far_it_is(rosa, lived, as_admin):
    seen = []
    copy_of(rosa, seen.append)

    assert seen == sorted(seen)
    assert len(seen) == len(KINDS)
    assert 0 < seen[0] <= seen[-1] <= 100


def test_a_task_that_got_lost_is_made_up_for(rosa, as_admin):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")

    assert tasks.tick() == 1
    copy.refresh_from_db()
    assert copy.state == State.READY
    assert tasks.tick() == 0


def test_a_dead_workers_copy_is_made_by_the_next(rosa, as_admin):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    died = timezone.now() - copies.SILENT_AFTER - timedelta(seconds=1)
    RecordCopy.objects.filter(pk=copy.pk).update(state=State.MAKING, claimed_at=timezone.now())
    assert not copies.make(copy.pk)

    RecordCopy.objects.filter(pk=copy.pk).update(claimed_at=died)

    assert copies.make(copy.pk)


def test_what_cannot_be_made_says_so(rosa, as_admin, monkeypatch):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    monkeypatch.setattr(copies, "copy_of", lambda *args: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        copies.make(copy.pk)

    copy.refresh_from_db()
    assert copy.state == State.FAILED


def test_one_that_is_under_way_is_not_begun_again(rosa, as_admin):
    first = copies.order(principal=as_admin, patient=rosa, reason="Asked for")

    assert copies.order(principal=as_admin, patient=rosa, reason="Asked again") == first


# --- fetching it


def test_it_is_fetched_once_and_is_on_the_trail_with_the_patient(ready, rosa, as_admin):
    """Row 5 of the checklist: a copy of a record that leaves is on the trail, with whose it is."""
    file = copies.take(principal=as_admin, copy=ready)

    assert "record.json" in unpacked(file)
    event = AuditEvent.objects.get(subtype="record.export")
    assert (event.patient, event.user, event.detail) == (rosa, as_admin.user, {"bytes": len(file)})
    ready.refresh_from_db()
    assert (ready.state, ready.content) == (State.TAKEN, "")
    with pytest.raises(NotOpen):
        copies.take(principal=as_admin, copy=ready)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_fetch_it_at_once_one_gets_it(ready, as_admin):
    def take() -> bool:
        try:
            return bool(copies.take(principal=as_admin, copy=ready))
        except NotOpen:
            return False

    assert sorted(at_once([take] * 4)) == [False, False, False, True]


def test_after_a_week_it_is_gone(ready, as_admin):
    assert ready.expires_at - ready.made_at == timedelta(days=7)
    RecordCopy.objects.filter(pk=ready.pk).update(expires_at=timezone.now())
    with pytest.raises(NotOpen):
        copies.take(principal=as_admin, copy=ready)

    tasks.tick()

    ready.refresh_from_db()
    assert (ready.state, ready.content) == (State.GONE, "")


def test_the_database_has_it_sealed_and_only_while_it_is_ready(ready):
    raw = RecordCopy.objects.filter(pk=ready.pk).values_list("content", flat=True).get()

    assert raw.startswith("e1:")
    assert b64encode(b"PK").decode()[:3] not in raw[:8]
    with pytest.raises(IntegrityError), transaction.atomic():
        RecordCopy.objects.filter(pk=ready.pk).update(state=State.TAKEN)
    with pytest.raises(IntegrityError), transaction.atomic():
        RecordCopy.objects.filter(pk=ready.pk).update(content="")


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor", "stranger"])
def test_others_neither_have_one_made_nor_get_one(ready, rosa, request, who):
    principal = staff(request.getfixturevalue(who))

    with pytest.raises(Http404):
        copies.take(principal=principal, copy=ready)
    with pytest.raises(Http404):
        copies.order(principal=principal, patient=rosa, reason="Curious")


# --- asked for by the patient


def test_a_patient_asks_and_staff_answer(rosa, lived, as_admin):
    copy = copies.ask(principal=bearer(make_link(lived)), visit=lived)
    assert copies.ask(principal=bearer(make_link(lived)), visit=lived) == copy
    assert copy.state == State.ASKED
    assert tasks.tick() == 0

    assert copies.order(principal=as_admin, patient=rosa, reason="They asked") == copy
    assert tasks.tick() == 1


def test_staff_may_decline(rosa, lived, as_admin):
    copy = copies.ask(principal=bearer(make_link(lived)), visit=lived)

    copies.decline(principal=as_admin, copy=copy)

    copy.refresh_from_db()
    assert copy.state == State.DECLINED
    with pytest.raises(NotOpen):
        copies.decline(principal=as_admin, copy=copy)


def test_who_acts_for_the_patient_asks_only_if_they_may_read(rosa, lived):
    """Row 31 of the checklist: managing visits is not reading the record."""
    manager = factories.make_proxy(rosa, reads=False, joins=True)
    with pytest.raises(Http404):
        copies.ask(principal=bearer(make_link(lived, proxy=manager)), visit=lived)
    assert not RecordCopy.objects.exists()

    reader = factories.make_proxy(rosa, manages=False, joins=False)
    assert copies.ask(principal=bearer(make_link(lived, proxy=reader)), visit=lived).state == "asked"


def test_a_guest_cannot_ask(lived):
    with pytest.raises(Http404):
        copies.ask(principal=bearer(make_link(lived, guest="Ines")), visit=lived)


# --- the whole clinic


def test_a_clinics_export_has_a_file_for_each_type(tmp_path, rosa, lived, practitioner, other_clinic, capsys):
    factories.make_visit(practitioner)
    stranger = factories.make_patient(other_clinic)
    file = tmp_path / "all.zip"

    call_command("export_clinic", "riverside", file)

    parts = unpacked(file.read_bytes())
    assert file.stat().st_mode & 0o077 == 0
    patients = [json.loads(line) for line in parts["Patient.ndjson"].splitlines()]
    assert {one["id"] for one in patients} == {str(pk) for pk in rosa.clinic.patients.values_list("pk", flat=True)}
    assert str(stranger.pk) not in "".join(parts.values())
    assert len(parts["Practitioner.ndjson"].splitlines()) == len(parts["Organization.ndjson"].splitlines()) == 1
    for name, text in parts.items():
        for line in text.splitlines():
            check_read(json.loads(line))
            assert json.loads(line)["resourceType"] == name.removesuffix(".ndjson")
    assert "2 of 2 patients" in capsys.readouterr().err
    assert AuditEvent.objects.get(subtype="clinic.export").detail == {"patients": 2}
    assert [one.name for one in tmp_path.iterdir()] == ["all.zip"]


def test_a_clinics_export_touches_no_file_that_is_there(tmp_path, rosa):
    file = tmp_path / "all.zip"
    file.write_text("mine")

    with pytest.raises(Exception, match="exists already"):
        call_command("export_clinic", "riverside", file)

    assert file.read_text() == "mine"


def test_a_clinics_export_that_breaks_off_leaves_nothing(tmp_path, rosa, monkeypatch):
    monkeypatch.setattr("visits.records.whole_clinic._pack", lambda *args: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        call_command("export_clinic", "riverside", tmp_path / "all.zip")

    assert list(tmp_path.iterdir()) == []


def test_a_clinic_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Exception, match="no clinic 'nowhere'"):
        call_command("export_clinic", "nowhere", tmp_path / "all.zip")
