"""A second factor of patients: offered, or asked for by the clinic; enrolled, given, taken away."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.mfa import factors
from accounts.mfa import services as mfa
from accounts.mfa.kinds import Kind
from accounts.mfa.notices import Change
from accounts.mfa.notices import mail as mail_change
from accounts.models import Clinic, Session, User
from accounts.models.totp import new_key
from accounts.sessions.store import SessionStore
from tests.accounts.authenticator import Authenticator
from tests.accounts.test_factors import add_passkey, page_of
from tests.accounts.test_passkeys import ENROL_OPTIONS
from tests.accounts.test_passkeys import sign_in as by_passkey
from tests.accounts.test_signin import CODE, CODES, SETUP, code_for, code_of, phone_of
from tests.conftest import recovery_codes, verify
from tests.party import sign_in
from tests.patients.conftest import BORN, ask_for_code, code_sent, type_code

pytestmark = pytest.mark.django_db

ANEW = "/me/signin/"


@pytest.fixture
def asking(clinic: Clinic) -> Clinic:
    """The clinic asks its patients for a second factor."""
    clinic.patients_need_factor = True
    clinic.save()
    return clinic


def enrol_phone(client: Client) -> object:
    client.get(SETUP)
    return client.post(SETUP, {"code": code_for(client.session["mfa_key"])})


def test_a_phone_is_offered_and_asked_for_from_then_on(rosa, account):
    page = rosa.get("/me/account/").content.decode()
    assert "Set one up" in page
    assert "rosa@example.org" not in rosa.get(SETUP).content.decode()

    assert enrol_phone(rosa)["Location"] == CODES
    assert rosa.get("/me/").status_code == 200
    rosa.post(CODES, {"saved": "on"})

    client = ask_for_code("rosa@example.org")
    assert type_code(client, code_sent())["Location"] == CODE
    assert client.get("/me/")["Location"].startswith("/me/signin/")
    account.totpdevice_set.update(last_t=-1)
    answer = client.post(CODE, {"code": code_of(account.totpdevice_set.get())})
    assert answer["Location"] == "/me/"
    assert client.get("/me/").status_code == 200


def signed_in_a_while_ago(account: User) -> Client:
    client = sign_in(account)
    Session.objects.filter(user=account).update(began_at=timezone.now() - mfa.FRESH_FOR - timedelta(seconds=1))
    return client


def test_the_first_factor_asks_for_a_new_code_when_the_sign_in_was_a_while_ago(account):
    """Row 14 of the checklist: who finds a patient's page open makes no factor of their own the patient's."""
    rosa = signed_in_a_while_ago(account)
    way = rosa.get(SETUP)["Location"]
    assert way == f"{ANEW}?anew=yes&next=%2Fmfa%2Fsetup%2F"
    page = rosa.get(way).content.decode()
    assert "sign in anew" in page
    assert 'value="rosa@example.org"' in page

    rosa.post(way, {"email": "rosa@example.org", "next": SETUP})
    answer = rosa.post("/me/signin/code/", {"code": code_sent(), "birth_date": BORN})

    assert answer["Location"] == SETUP
    assert enrol_phone(rosa)["Location"] == CODES


@pytest.mark.parametrize("by", ["phone", "passkey"])
def test_a_page_that_was_opened_in_time_enrols_nothing_afterwards(account, by):
    rosa, key = sign_in(account), Authenticator()
    rosa.get(SETUP)
    credential = key.enrol(rosa.post(ENROL_OPTIONS).json())
    Session.objects.filter(user=account).update(began_at=timezone.now() - mfa.FRESH_FOR - timedelta(seconds=1))

    sent = {"code": code_for(rosa.session["mfa_key"])} if by == "phone" else {"credential": credential}
    assert rosa.post(SETUP, sent)["Location"].startswith(ANEW)
    assert not mfa.has_factor(account)


def test_the_service_itself_enrols_nothing_in_a_session_of_long_ago(account):
    rosa = signed_in_a_while_ago(account)
    request = RequestFactory().post(SETUP)
    request.user, request.session = account, SessionStore(rosa.cookies[settings.SESSION_COOKIE_NAME].value)
    key = new_key()

    with pytest.raises(mfa.SignInAnew):
        mfa.enrol(request=request, key=key, code=code_for(key))


def test_a_session_without_the_factor_ends_being_one_when_there_is_one(account):
    before = sign_in(account)
    assert before.get("/me/").status_code == 200
    phone_of(account)

    assert before.get("/me/")["Location"].startswith("/me/signin/")
    assert before.get("/me/signin/")["Location"] == CODE


def test_a_passkey_is_a_second_factor_and_a_whole_sign_in(rosa, account):
    key = Authenticator()
    options = rosa.post(ENROL_OPTIONS).json()
    assert options["user"]["name"] == "Rosa Marín"
    rosa.post(SETUP, {"credential": key.enrol(options)})

    client = Client()
    assert by_passkey(client, key)["Location"] == "/me/"
    assert client.get("/me/").status_code == 200


def test_who_needs_one_sees_nothing_before_it_is_enrolled(asking, account, visit):
    """Row 11 of the checklist: where the clinic asks patients for a second factor, a code by mail opens nothing."""
    client = ask_for_code("rosa@example.org")

    assert type_code(client, code_sent())["Location"] == SETUP
    assert "Your clinic asks for it" in client.get(SETUP).content.decode()
    for page in ("/me/", "/me/account/", f"/my/{visit.pk}/visit/", "/sessions/"):
        assert client.get(page)["Location"].startswith("/me/signin/")

    enrol_phone(client)
    assert client.get("/me/").status_code == 200


def test_the_setting_counts_at_once(rosa, clinic):
    assert rosa.get("/me/").status_code == 200
    clinic.patients_need_factor = True
    clinic.save()

    assert rosa.get("/me/").status_code == 302


def test_the_last_factor_can_go_unless_the_clinic_asks_for_one(account, clinic):
    codes = recovery_codes(account)
    client = verify(Client(), account)
    factor = next(iter(mfa_factors(account)))
    clinic.patients_need_factor = True
    clinic.save()
    client.post(page_of(factor), {"remove": "yes"})
    assert mfa.has_factor(account)

    clinic.patients_need_factor = False
    clinic.save()
    client.post(page_of(factor), {"remove": "yes"})

    assert not mfa.has_factor(account)
    assert mfa.recovery_codes_left(account) == 0
    assert len(codes) == 10
    assert client.get("/me/").status_code == 200
    assert client.get("/factors/")["Location"] == SETUP


def mfa_factors(account: User) -> list[factors.Factor]:
    return list(factors.factors_of(account))


def test_the_first_of_several_goes_and_the_session_goes_on(account):
    client = verify(Client(), account)
    add_passkey(client, "Laptop")

    client.post(page_of(mfa_factors(account)[0]), {"remove": "yes"})

    assert [factor.name for factor in mfa_factors(account)] == ["Laptop"]
    assert client.get("/me/").status_code == 200


def test_a_recovery_code_lets_in_and_a_new_phone_takes_the_place_of_the_lost_one(account):
    phone_of(account)
    code = recovery_codes(account)[0]
    client = ask_for_code("rosa@example.org")
    type_code(client, code_sent())

    answer = client.post(f"{CODE}?recovery", {"code": code})

    assert answer["Location"] == SETUP
    assert client.get("/me/").status_code == 200


def test_after_a_reset_the_mailed_code_signs_in_again(account, clinician):
    phone_of(account)
    mfa.reset(account, by=clinician)

    client = ask_for_code("rosa@example.org")

    assert type_code(client, code_sent())["Location"] == "/me/"


def test_a_patient_is_told_of_changes_without_words_about_passwords(account):
    for change in set(Change) - {Change.PASSWORD}:  # they have none
        mail_change(account, change, Kind.PHONE)

    assert {one.to[0] for one in mail.outbox} == {"rosa@example.org"}
    assert all("password" not in one.body and "clinic admin" not in one.body for one in mail.outbox)
    assert any("Your clinic has taken your second factor away." in one.body for one in mail.outbox)


def test_the_pages_for_factors_say_nothing_of_passwords(account):
    client = verify(Client(), account)

    for page in ("/factors/", "/sessions/", "/me/account/"):
        assert "your password" not in client.get(page).content.decode().lower()
