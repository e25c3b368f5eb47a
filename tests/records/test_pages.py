"""The pages of records: staff's, and the patient's own."""

from datetime import timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.mfa.services import SESSION_CONFIRMED
from accounts.models import AuditEvent, Patient
from accounts.policy import Role
from tests import factories
from tests.party import browser, make_link
from tests.records.conftest import CANARY, live
from visits.records.models import LegalHold, RecordCopy, RetentionRule
from visits.records.services import activity, copies

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(verified, clinic_admin):
    return verified(clinic_admin)


def stale(client: Client) -> Client:
    """The second factor was given a while ago."""
    session = client.session
    session[SESSION_CONFIRMED] = 0
    session.save()
    return client


def text_of(answer):
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_a_record_is_found_by_post_and_the_trail_has_no_words(ada, rosa, clinic):
    page = text_of(ada.post("/records/", {"q": CANARY}))

    assert rosa.full_name in page
    assert AuditEvent.objects.get(subtype="patient.search").detail == {"found": 1}
    assert rosa.full_name not in text_of(ada.get("/records/", {"q": CANARY}))


def test_closed_patients_are_found_here_and_erased_ones_are_not(ada, rosa, as_admin):
    activity.deactivate(principal=as_admin, patient=rosa)
    assert "closed for visits" in text_of(ada.post("/records/", {"q": CANARY}))


def test_opening_it_is_on_the_trail(ada, rosa, clinic_admin):
    assert rosa.full_name in text_of(ada.get(f"/records/{rosa.pk}/"))

    assert AuditEvent.objects.filter(subtype="record.view", patient=rosa, user=clinic_admin).count() == 1


def test_from_asking_to_the_file_in_hand(ada, rosa, lived, django_capture_on_commit_callbacks, monkeypatch):
    monkeypatch.setattr("visits.records.tasks.make_copy.delay", copies.make)
    with django_capture_on_commit_callbacks(execute=True):
        ada.post(f"/records/{rosa.pk}/change/", {"do": "copy", "copy-reason": "Asked at the desk"})

    page = text_of(ada.get(f"/records/{rosa.pk}/"))
    copy = RecordCopy.objects.get()
    assert "Asked at the desk" in page
    assert f"/records/copies/{copy.pk}/file/" in page

    answer = ada.post(f"/records/copies/{copy.pk}/file/")

    assert answer["Content-Disposition"] == 'attachment; filename="record.zip"'
    assert "no-store" in answer["Cache-Control"]
    assert set(ZipFile(BytesIO(answer.content)).namelist()) == {"record.json", "record-en.html", "record-es.html"}
    again = ada.post(f"/records/copies/{copy.pk}/file/", follow=True)
    assert "downloaded already" in text_of(again)


def test_while_it_is_made_the_page_says_how_far_it_is(ada, rosa, as_admin):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    RecordCopy.objects.update(state="making", claimed_at=timezone.now(), done=40)

    part = text_of(ada.get(f"/records/{rosa.pk}/copies/"))

    assert 'value="40"' in part
    assert 'hx-trigger="every 2s"' in part
    assert CANARY not in part
    RecordCopy.objects.filter(pk=copy.pk).update(state="failed")
    assert "hx-trigger" not in text_of(ada.get(f"/records/{rosa.pk}/copies/"))


def test_a_copy_that_could_not_be_made_is_listed_until_there_is_a_newer_one(ada, rosa, as_admin, other_clinic):
    copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    RecordCopy.objects.update(state="failed")
    stranger = factories.make_patient(other_clinic, given_name="Zoe")
    RecordCopy.objects.create(patient=stranger, state="failed", made_for=as_admin.user)
    words = "Copies that could not be made"

    page = text_of(ada.get("/records/"))
    assert words in page
    assert f'href="/records/{rosa.pk}/"' in page
    assert "Zoe" not in page
    assert AuditEvent.objects.get(subtype="record.list").detail == {"shown": 1}

    copies.order(principal=as_admin, patient=rosa, reason="Once more")
    assert words not in text_of(ada.get("/records/"))
    RecordCopy.objects.filter(patient=rosa).update(state="failed")
    assert text_of(ada.get("/records/")).count(f'href="/records/{rosa.pk}/"') == 1
    Patient.objects.update(erased_at=timezone.now(), deactivated_at=timezone.now())
    assert words not in text_of(ada.get("/records/"))


def test_without_a_reason_nothing_is_made_and_the_page_says_so(ada, rosa):
    for do in ("copy", "hold"):
        page = text_of(ada.post(f"/records/{rosa.pk}/change/", {"do": do, f"{do}-reason": ""}))
        assert "Say why." in page
        assert "Problem:" in page
    assert not RecordCopy.objects.exists()
    assert not LegalHold.objects.exists()


def test_what_matters_asks_for_the_second_factor_again_and_loses_nothing(ada, rosa, lived, as_admin):
    """Row 14 of the checklist: a record leaves, is held or erased only after a second factor of the last minutes."""
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    copies.make(copy.pk)
    hold = LegalHold.objects.create(patient=rosa, reason="x", placed_by=as_admin.user)
    stale(ada)

    for path, sent in [
        (f"/records/{rosa.pk}/change/", {"do": "copy", "copy-reason": "Asked twice"}),
        (f"/records/copies/{copy.pk}/file/", {}),
        (f"/records/holds/{hold.pk}/end/", {}),
        (f"/records/{rosa.pk}/erase/", {"family_name": rosa.family_name}),
    ]:
        page = text_of(ada.post(path, sent))
        assert "stepup-code" in page
        for value in sent.values():
            assert value in page
    copy.refresh_from_db()
    hold.refresh_from_db()
    assert (copy.state, hold.ended_at) == ("ready", None)
    assert Patient.objects.get(pk=rosa.pk).erased_at is None


def test_a_hold_begins_and_ends_on_the_page(ada, rosa):
    page = text_of(ada.post(f"/records/{rosa.pk}/change/", {"do": "hold", "hold-reason": "Case 12"}, follow=True))
    assert "Case 12" in page
    hold = LegalHold.objects.get()

    assert "Ended" in text_of(ada.post(f"/records/holds/{hold.pk}/end/", follow=True))


def test_closing_and_opening(ada, rosa):
    page = text_of(ada.post(f"/records/{rosa.pk}/change/", {"do": "close"}, follow=True))
    assert "Closed since" in page

    ada.post(f"/records/{rosa.pk}/change/", {"do": "open"})
    assert Patient.objects.get(pk=rosa.pk).is_active


def test_erasing_shows_what_goes_and_wants_the_name(ada, rosa, lived):
    page = text_of(ada.get(f"/records/{rosa.pk}/erase/"))
    assert "Addresses that messages went to" in page
    wrong = text_of(ada.post(f"/records/{rosa.pk}/erase/", {"family_name": "Somebody"}))
    assert "This is another name." in wrong
    assert 'value="Somebody"' in wrong

    done = text_of(ada.post(f"/records/{rosa.pk}/erase/", {"family_name": rosa.family_name.upper()}, follow=True))

    assert "Erased record" in done
    assert CANARY not in done
    assert Patient.objects.get(pk=rosa.pk).erased_at


@pytest.mark.parametrize("why", ["hold", "visit", "care"])
def test_erasing_says_what_is_in_the_way(ada, rosa, practitioner, clinician, front_desk, request, why):
    words = {"hold": "A legal hold", "visit": "A visit is to come", "care": "the record is kept until"}[why]
    if why == "hold":
        request.getfixturevalue("hold")
    elif why == "visit":
        factories.make_visit(practitioner, patient=rosa)
    else:
        live(rosa, practitioner, clinician, front_desk, timezone.now() - timedelta(days=400))

    page = text_of(ada.post(f"/records/{rosa.pk}/erase/", {"family_name": rosa.family_name}))

    assert words in page
    assert "Erase for good" not in page
    assert Patient.objects.get(pk=rosa.pk).erased_at is None


def test_an_unknown_verb_is_refused(ada, rosa):
    assert ada.post(f"/records/{rosa.pk}/change/", {"do": "sell"}).status_code == 403


# --- strangers


def every_page(rosa, copy, hold):
    return [
        "/records/",
        f"/records/{rosa.pk}/",
        f"/records/{rosa.pk}/copies/",
        f"/records/{rosa.pk}/erase/",
        f"/records/{rosa.pk}/change/",
        f"/records/copies/{copy.pk}/file/",
        f"/records/copies/{copy.pk}/decline/",
        f"/records/holds/{hold.pk}/end/",
    ]


def test_other_roles_anonymous_and_half_signed_in_see_nothing(
    rosa, hold, as_admin, verified, password_only, clinician, front_desk, auditor, clinic_admin
):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    copies.make(copy.pk)

    for path in every_page(rosa, copy, hold):
        for client in (verified(clinician), verified(front_desk), verified(auditor)):
            assert (client.get(path).status_code, client.post(path).status_code) == (403, 403), path
        for client in (Client(), password_only(clinic_admin)):
            assert (client.get(path).status_code, client.post(path).status_code) == (302, 403), path
    copy.refresh_from_db()
    assert copy.state == "ready"


def test_another_clinics_record_is_not_there(rosa, hold, as_admin, other_clinic, verified):
    copy = copies.order(principal=as_admin, patient=rosa, reason="Asked for")
    copies.make(copy.pk)
    there = factories.make_member(other_clinic, as_admin.role, email="eve@example.org", is_staff=True)
    eve = verified(there)

    assert CANARY not in text_of(eve.post("/records/", {"q": CANARY})).replace(f'value="{CANARY}"', "")
    for path in every_page(rosa, copy, hold)[1:]:
        statuses = {eve.get(path).status_code, eve.post(path, {"do": "close"}).status_code}
        assert statuses <= {404, 405}, path
        assert 404 in statuses, path


# --- the patient's own


def test_who_acts_for_the_patient_finds_the_page_only_if_they_may_read(rosa, lived):
    ask = reverse("records:ask", args=[lived.pk])
    manager = browser(make_link(lived, proxy=factories.make_proxy(rosa, reads=False)))
    assert manager.get(ask).status_code == manager.post(ask).status_code == 404
    assert ask not in manager.get(reverse("online:visits", args=[lived.pk])).content.decode()
    assert not RecordCopy.objects.exists()

    both = browser(make_link(lived, proxy=factories.make_proxy(rosa)))
    assert ask in both.get(reverse("online:visits", args=[lived.pk])).content.decode()
    reader = browser(make_link(lived, proxy=factories.make_proxy(rosa, manages=False)))
    page = reader.get(ask)
    assert page.status_code == 200
    assert reverse("online:visits", args=[lived.pk]) not in page.content.decode()
    assert reader.post(ask).status_code == 302
    assert RecordCopy.objects.get().state == "asked"


def test_a_patient_asks_for_a_copy_once_and_staff_see_it(rosa, lived, ada):
    own = browser(make_link(lived))
    assert "Pedir una copia" in text_of(own.get(f"/my/{lived.pk}/record/"))

    page = text_of(own.post(f"/my/{lived.pk}/record/", follow=True))
    own.post(f"/my/{lived.pk}/record/")

    assert RecordCopy.objects.get().state == "asked"
    assert "30" in page
    assert rosa.full_name in text_of(ada.get("/records/"))
    assert AuditEvent.objects.get(subtype="record.request").patient == rosa


def test_guests_and_others_cannot(rosa, lived, practitioner):
    guest = browser(make_link(lived, guest="Ines"))
    other = browser(make_link(factories.make_visit(practitioner)))

    assert guest.post(f"/my/{lived.pk}/record/").status_code == 404
    assert other.post(f"/my/{lived.pk}/record/").status_code == 302
    assert not RecordCopy.objects.exists()


# --- the admin


def test_a_clinics_rules_are_its_own_and_have_floors(ada, clinic, other_clinic, verified):
    page = ada.post("/admin/records/retentionrule/add/", {"clinic": clinic.pk, "subject": "record", "days": 30})
    assert "At least 2192 days." in text_of(page)
    days = {"clinic": clinic.pk, "subject": "line", "days": 31}
    assert ada.post("/admin/records/retentionrule/add/", days).status_code == 302
    rule = RetentionRule.objects.get()

    there = factories.make_member(other_clinic, Role.CLINIC_ADMIN, email="eve@example.org", is_staff=True)
    assert str(rule.pk) in text_of(ada.get("/admin/records/retentionrule/"))
    assert str(rule.pk) not in text_of(verified(there).get("/admin/records/retentionrule/"))


def test_copies_and_holds_are_looked_through_and_not_changed(ada, rosa, hold, as_admin):
    copies.order(principal=as_admin, patient=rosa, reason="Asked for")

    for model in ("recordcopy", "legalhold"):
        assert rosa.full_name in text_of(ada.get(f"/admin/records/{model}/"))
        assert ada.get(f"/admin/records/{model}/add/").status_code == 403
