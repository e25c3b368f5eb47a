"""Signing in at /me/: an address, a mailed code and the birth date; nothing is told before both are right."""

import re
from collections import Counter
from datetime import date, timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.codes import forget_old
from accounts.mfa.tasks import mail_change
from accounts.models import AuditEvent, PatientCode, Session
from accounts.patients import codes, services
from tests import factories
from tests.accounts.test_enumeration import from_anywhere, said, take_the_same_time
from tests.party import make_account
from tests.patients.conftest import BORN, ask_for_code, code_sent, type_code, wrong
from tests.threads import at_once
from visits.booking.models import Appointment

pytestmark = pytest.mark.django_db

ROSA, NOBODY = "rosa@example.org", "nobody@example.org"


def test_a_code_and_the_birth_date_sign_in(account, visit):
    client = ask_for_code("Rosa@Example.org ".strip())

    answer = type_code(client, code_sent())

    assert answer["Location"] == "/me/"
    assert str(visit.pk) in client.get("/me/").content.decode()
    trail = AuditEvent.objects.filter(patient=account.patient).order_by("pk").values_list("subtype", flat=True)
    assert list(trail)[:2] == ["account.code", "user.signin"]
    event = AuditEvent.objects.get(subtype="user.signin")
    assert (event.user, event.patient, event.clinic, event.detail) == (
        account, account.patient, account.patient.clinic, {"step": "code"},
    )  # fmt: skip
    session = Session.objects.get(user=account)
    assert session.expires_at - session.seen_at == timedelta(minutes=60)


def test_one_comes_back_to_the_page_that_was_asked_for(account, visit):
    client = Client()
    asked = client.get("/me/account/")
    assert asked["Location"] == "/me/signin/?next=%2Fme%2Faccount%2F"
    client.post("/me/signin/", {"email": ROSA, "next": "/me/account/"})

    assert type_code(client, code_sent())["Location"] == "/me/account/"


@pytest.mark.parametrize("guess", ["code", "birth date", "both"])
def test_a_wrong_code_and_a_wrong_birth_date_are_answered_alike(guess, account):
    client = ask_for_code(ROSA)
    code = code_sent()

    answer = type_code(client, code if guess == "birth date" else wrong(code), BORN if guess == "code" else "3/15/1979")

    page = answer.content.decode()
    assert "The code or the birth date does not match. Check both. 4 tries left." in page
    assert AuditEvent.objects.get(subtype="user.signin").outcome == AuditEvent.Outcome.MINOR_FAILURE
    assert client.get("/me/").status_code == 302


def test_five_wrong_tries_end_the_code(account):
    """Row 12 of the checklist: of a million codes five are tried."""
    client = ask_for_code(ROSA)
    code = code_sent()
    for _ in range(5):
        type_code(client, wrong(code))

    assert "does not work any more" in type_code(client, code).content.decode()


def test_a_code_ends_after_ten_minutes_and_with_the_next_one(account):
    client = ask_for_code(ROSA)
    first = code_sent()
    client.post("/me/signin/code/", {"again": "yes"})
    assert "4 tries left" in type_code(client, first).content.decode()
    second = code_sent()
    PatientCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert timedelta(minutes=10) >= codes.LASTS
    assert "does not work any more" in type_code(client, second).content.decode()


def test_a_code_works_in_the_browser_that_asked_for_it_alone(account):
    ask_for_code(ROSA)
    code = code_sent()
    other = ask_for_code(ROSA, REMOTE_ADDR="10.0.0.9")

    assert type_code(other, code).status_code == 200
    assert type_code(Client(), code)["Location"] == "/me/signin/"


@pytest.mark.django_db(transaction=True)
def test_twenty_posts_of_one_code_are_one_sign_in(account):
    """Row 11 of the checklist: a code works once, also in twenty windows at the same moment."""
    client = ask_for_code(ROSA)
    code, cookies = code_sent(), dict(client.cookies)

    def send() -> int:
        window = Client()
        window.cookies.update(cookies)
        return int(type_code(window, code).status_code)

    at_once([send] * 20)

    assert AuditEvent.objects.filter(subtype="user.signin", outcome="0").count() == 1
    assert Session.objects.filter(user=account).count() == 1


# --- known and unknown ------------------------------------------------------------------------------------------------


def test_of_an_unknown_address_the_pages_say_the_same_and_nobody_is_mailed(account):
    """Row 12 of the checklist: who has an account is not found out, neither by words nor by work."""
    asked, tried = {}, {}
    for email in (ROSA, NOBODY):
        client = from_anywhere()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            first = said(client.post("/me/signin/", {"email": email}))
        page = client.get("/me/signin/code/").content.decode().replace(email, "")
        asked[email] = (first, re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page), len(queries))
        codes.deliver(PatientCode.objects.latest("created_at"))
        with CaptureQueriesContext(connection) as queries:
            answer = said(client.post("/me/signin/code/", {"code": "000000", "birth_date": BORN}))
        tried[email] = (answer[0], answer[2].replace(email, ""), len(queries))

    assert asked[ROSA] == asked[NOBODY]
    assert tried[ROSA] == tried[NOBODY]
    assert [one.to for one in mail.outbox] == [[ROSA]]
    assert PatientCode.objects.exclude(code_hash="").count() == 1


def test_known_and_unknown_take_the_same_time(account, monkeypatch):
    monkeypatch.setattr("accounts.patients.tasks.send_code.delay", lambda pk: None)

    def ask(email: str) -> object:
        cache.clear()
        return from_anywhere().post("/me/signin/", {"email": email})

    take_the_same_time(lambda: ask(ROSA), lambda: ask(NOBODY))


def test_known_and_unknown_are_refused_alike_after_many_codes(account):
    answers = {}
    for email in (ROSA, NOBODY):
        cache.clear()
        answers[email] = [Client().post("/me/signin/", {"email": email}).status_code for _ in range(6)]

    assert answers[ROSA] == answers[NOBODY] == [302] * 5 + [429]


def test_strangers_who_use_up_an_addresss_codes_do_not_shut_its_owner_out(account):
    """Row 12 of the checklist: the owner does not wait for strangers where they have signed in before."""
    home = {"REMOTE_ADDR": "198.51.100.7"}
    type_code(ask_for_code(ROSA, **home), code_sent())
    for n in range(30):
        Client(REMOTE_ADDR=f"10.1.0.{n}").post("/me/signin/", {"email": ROSA})
    assert Client(REMOTE_ADDR="10.2.0.1").post("/me/signin/", {"email": ROSA}).status_code == 429

    assert type_code(ask_for_code(ROSA, **home), code_sent())["Location"] == "/me/"


def test_one_network_asks_for_thirty_codes_an_hour(account):
    statuses = Counter(Client().post("/me/signin/", {"email": f"n{n}@example.org"}).status_code for n in range(31))

    assert statuses == {302: 30, 429: 1}


def test_who_reads_the_mailbox_guesses_ten_birth_dates_a_day(account):
    """Row 12 of the checklist: new codes bring no new guesses, and only right codes use them up."""
    client = ask_for_code(ROSA)
    code = code_sent()
    for _ in range(5):
        type_code(client, wrong(code))
    for n in range(2):
        client = ask_for_code(ROSA)
        code = code_sent()
        pages = [type_code(client, code, f"{n + 1}/{day}/1980").content.decode() for day in range(1, 6)]
        assert ["Too many wrong birth dates." in page for page in pages] == [False] * 5

    page = type_code(ask_for_code(ROSA), code_sent()).content.decode()

    assert "Too many wrong birth dates." in page
    assert not Session.objects.filter(user=account).exists()
    event = AuditEvent.objects.filter(subtype="user.signin").latest("pk")
    assert event.outcome == AuditEvent.Outcome.MINOR_FAILURE


def test_a_code_goes_to_the_address_on_file_whatever_reads_as_the_same(account):
    """Case folding takes the long s for an s: another mailbox, which a stranger may have."""
    ask_for_code("ro\u017fa@example.org")
    code_sent()

    assert mail.outbox[-1].to == [ROSA]


# --- several accounts at one address ----------------------------------------------------------------------------------


def test_a_couple_with_one_mailbox_is_told_apart_by_the_birth_date(account, clinic, visit):
    leo = factories.make_patient(clinic, given_name="Leo", email=ROSA, birth_date=date(1977, 5, 2))
    make_account(leo)
    client = ask_for_code(ROSA)

    assert type_code(client, code_sent(), "5/2/1977")["Location"] == "/me/"

    assert str(visit.pk) not in client.get("/me/").content.decode()
    assert "Leo" in client.get("/me/account/").content.decode()


def test_who_has_accounts_at_two_clinics_chooses_after_code_and_birth_date(account, other_clinic, visit):
    there = make_account(factories.make_patient(other_clinic, given_name="Rosa", email=ROSA))
    stranger = make_account(factories.make_patient(other_clinic))
    client = ask_for_code(ROSA)
    code = code_sent()
    assert "Hilltop" not in mail.outbox[-1].body
    assert "Riverside" not in mail.outbox[-1].body

    answer = type_code(client, code)

    assert answer["Location"] == "/me/signin/which/"
    page = client.get("/me/signin/which/").content.decode()
    assert "Riverside Family Clinic" in page
    assert "Hilltop Practice" in page
    assert client.get("/me/").status_code == 302
    assert client.post("/me/signin/which/", {"account": str(stranger.pk)}).status_code == 200
    assert client.post("/me/signin/which/", {"account": str(there.pk)})["Location"] == "/me/"
    assert client.get(f"/my/{visit.pk}/visit/").status_code == 404
    assert client.post("/me/signin/which/", {"account": str(account.pk)})["Location"] == "/me/signin/"


@pytest.fixture
def choosing(account, other_clinic) -> Client:
    """A browser in which code and birth date have opened two accounts, of which none is chosen yet."""
    make_account(factories.make_patient(other_clinic, given_name="Rosa", email=ROSA))
    client = ask_for_code(ROSA)
    key = client.session.session_key
    type_code(client, code_sent())
    assert client.session.session_key != key
    return client


@pytest.mark.parametrize("meanwhile", ["ten minutes", "a new address", "the account's end"])
def test_what_a_code_opened_is_chosen_while_the_code_lasts_and_the_account_is_the_addresss(
    meanwhile, choosing, account, patient
):
    """A browser that is left at the choice opens nothing to whoever comes later."""
    if meanwhile == "ten minutes":
        PatientCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif meanwhile == "a new address":
        patient.email = "new@example.org"
        patient.save()
    else:
        services.end_account(patient, why="clinic", principal=None)

    choosing.post("/me/signin/which/", {"account": str(account.pk)})

    assert choosing.get("/me/").status_code == 302
    assert not Session.objects.filter(user=account).exists()


def test_the_old_address_is_told_that_it_opens_nothing_any_more(
    account, patient, django_capture_on_commit_callbacks, monkeypatch
):
    """Row 14 of the checklist: staff who lead an account to another mailbox cannot do it behind its owner's back."""
    waiting = []
    monkeypatch.setattr(mail_change, "delay", lambda *given: waiting.append(given))
    with django_capture_on_commit_callbacks(execute=True):
        patient.email = "new@example.org"
        patient.save()

    assert ROSA not in str(waiting)
    for given in waiting:
        mail_change(*given)
    told = mail.outbox[-1]
    assert told.to == [ROSA]
    assert "has changed the e-mail address of your account" in told.body


def test_who_came_for_another_account_begins_a_session_of_their_own(account, clinic, rosa):
    """Nothing of what the one before has open is left to the next one in the same browser."""
    leo = make_account(factories.make_patient(clinic, given_name="Leo", birth_date=date(1977, 5, 2)))
    rosa.post("/signout/")
    rosa.post("/me/signin/", {"email": leo.patient.email})

    type_code(rosa, code_sent(), "5/2/1977")

    assert Session.objects.get(user=leo)
    assert not Session.objects.filter(user=account).exists()


def test_old_codes_are_forgotten(account):
    ask_for_code(ROSA)
    assert forget_old(PatientCode, timezone.now() + timedelta(minutes=60)) == 0
    assert forget_old(PatientCode, timezone.now() + timedelta(minutes=71)) == 1


def test_a_closed_record_and_an_ended_account_get_no_code(account, patient):
    services.end_account(patient, why="clinic", principal=None)
    ask_for_code(ROSA)
    codes.deliver(PatientCode.objects.latest("created_at"))

    assert not mail.outbox
    assert Appointment.objects.count() == 0
