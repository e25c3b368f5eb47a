"""A patient makes the account: behind a link, by the birth date, and by the mail of the address on file."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Patient, PatientCode, User
from accounts.patients import services
from accounts.patients.notices import Change
from accounts.patients.notices import mail as mail_change
from tests import factories
from tests.party import browser, make_account, make_link
from tests.patients.conftest import code_sent, wrong
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def by_link(visit) -> Client:
    return browser(make_link(visit))


def page_of(visit) -> str:
    return f"/my/{visit.pk}/account/"


def test_the_page_of_the_visit_offers_an_account_and_one_press_mails_a_code(by_link, visit, patient):
    assert page_of(visit) in by_link.get(f"/my/{visit.pk}/visit/").content.decode()

    answer = by_link.post(page_of(visit))

    assert answer["Location"] == f"{page_of(visit)}code/"
    code = code_sent()
    assert mail.outbox[-1].to == ["rosa@example.org"]
    assert code not in mail.outbox[-1].subject
    assert not User.objects.filter(patient=patient).exists()


def test_the_code_makes_the_account_and_signs_in(by_link, visit, patient):
    by_link.post(page_of(visit))

    answer = by_link.post(f"{page_of(visit)}code/", {"code": code_sent()})

    assert answer["Location"] == "/me/"
    account = User.objects.get(patient=patient)
    assert (account.email, account.name, account.has_usable_password()) == ("", "", False)
    assert "Your account is made." in by_link.get("/me/").content.decode()
    event = AuditEvent.objects.get(subtype="account.claim")
    assert (event.patient, event.role, event.entity_id) == (patient, "patient", str(account.pk))


def test_the_patient_hears_of_it(account):
    mail_change(account, Change.CLAIMED)
    mail_change(account, Change.ENDED)

    assert [one.to for one in mail.outbox] == [["rosa@example.org"]] * 2
    assert "/me/signin/" in mail.outbox[0].body
    assert "is ended" in mail.outbox[1].body


def test_who_does_not_read_the_mailbox_has_five_tries_and_no_account(by_link, visit, patient):
    """Row 12 of the checklist: the link and the birth date alone make no account."""
    by_link.post(page_of(visit))
    code = code_sent()

    for n in range(5):
        answer = by_link.post(f"{page_of(visit)}code/", {"code": wrong(code)})
        words = "tries left" if n < 3 else "1 try left" if n == 3 else "does not work any more"
        assert words in answer.content.decode()
    answer = by_link.post(f"{page_of(visit)}code/", {"code": code})

    assert "does not work any more" in answer.content.decode()
    assert not User.objects.filter(patient=patient).exists()
    assert AuditEvent.objects.filter(subtype="account.claim", outcome="4").count() == 5


def test_a_code_is_for_the_browser_that_asked_and_for_the_address_on_file(by_link, visit, patient):
    by_link.post(page_of(visit))
    code = code_sent()
    elsewhere = browser(make_link(visit))
    assert elsewhere.post(f"{page_of(visit)}code/", {"code": code})["Location"] == page_of(visit)

    patient.email = "new@example.org"
    patient.save()
    answer = by_link.post(f"{page_of(visit)}code/", {"code": code})

    assert "does not work any more" in answer.content.decode()
    assert not User.objects.filter(patient=patient).exists()


def test_who_has_one_signs_in_and_makes_no_second(by_link, visit, patient):
    make_account(patient)

    page = by_link.get(f"/my/{visit.pk}/visit/").content.decode()

    assert page_of(visit) not in page
    assert "You have an account." in page
    assert by_link.post(page_of(visit))["Location"] == "/me/signin/"
    with pytest.raises(IntegrityError), transaction.atomic():
        make_account(patient)


def test_one_that_was_ended_can_be_claimed_again(by_link, visit, account):
    services.end_account(account.patient, why="patient", principal=None)
    by_link.post(page_of(visit))

    by_link.post(f"{page_of(visit)}code/", {"code": code_sent()})

    account.refresh_from_db()
    assert account.is_active
    assert by_link.get("/me/").status_code == 200


@pytest.mark.parametrize("who", ["guest", "stranger", "nobody", "without an address", "closed", "a child"])
def test_strangers_and_guests_make_none(who, visit, patient, clinic):
    """Another patient, a guest, nobody at all; nor a patient without an address, under age, or whose
    record is closed."""
    client = {
        "guest": lambda: browser(make_link(visit, guest="Ines")),
        "stranger": lambda: browser(make_link(factories.make_visit(visit.practitioner, visit_type=visit.visit_type))),
        "nobody": Client,
        "without an address": lambda: browser(make_link(visit)),
        "closed": lambda: browser(make_link(visit)),
        "a child": lambda: browser(make_link(visit)),
    }[who]()
    if who == "a child":
        Patient.objects.filter(pk=patient.pk).update(birth_date=timezone.localdate() - timedelta(days=17 * 365))
    if who == "without an address":
        patient.email = ""
        patient.save()
    if who == "closed":
        Patient.objects.filter(pk=patient.pk).update(deactivated_at="2026-01-01T00:00Z")

    answers = [client.get(page_of(visit)), client.post(page_of(visit)), client.post(f"{page_of(visit)}code/")]

    assert {answer.status_code for answer in answers} <= {302, 404}
    assert all("link-needed" in answer["Location"] for answer in answers if answer.status_code == 302)
    assert not PatientCode.objects.exists()


def test_codes_are_limited(by_link, visit):
    statuses = Counter(by_link.post(page_of(visit)).status_code for _ in range(6))

    assert statuses == {302: 5, 429: 1}


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_account(visit, patient):
    """Row 11 of the checklist: a code works once, also in twenty windows at the same moment."""
    client = browser(make_link(visit))
    client.post(page_of(visit))
    code, cookies = code_sent(), dict(client.cookies)

    def send() -> int:
        window = Client()
        window.cookies.update(cookies)
        return int(window.post(f"{page_of(visit)}code/", {"code": code}).status_code)

    at_once([send] * 20)

    assert User.objects.filter(patient=patient).count() == 1
    assert AuditEvent.objects.filter(subtype="account.claim", outcome="0").count() == 1
    assert AuditEvent.objects.filter(subtype="user.signin", outcome="0").count() == 1


def test_the_database_takes_no_account_with_an_address_a_name_or_rights(patient):
    for fields in ({"email": "rosa@example.org"}, {"name": "Rosa"}, {"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create(patient=patient, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(name="Nobody", email="")
