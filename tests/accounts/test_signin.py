"""Signing in by steps: password, phone, recovery codes; and out again."""

import re
import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken

from accounts.login import guessing
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, Clinic, Membership, TOTPDevice, User
from accounts.policy import Role
from accounts.principal import staff_principal
from accounts.sessions.store import SessionStore
from tests import factories
from tests.accounts.test_links import at_once
from tests.conftest import recovery_codes

SIGNIN = "/signin/"
CODE = "/mfa/"
SETUP = "/mfa/setup/"
CODES = "/mfa/recovery-codes/"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


def give_password(client: Client, user: User, **fields: str) -> Any:
    return client.post(SIGNIN, {"email": user.email, "password": factories.PASSWORD} | fields)


def phone_of(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="Riverside Family Clinic", confirmed=True)


def code_of(device: TOTPDevice, offset: int = 0) -> str:
    totp = device.totp
    totp.time = time.time() + offset * 30
    return f"{totp.token():06d}"


def code_for(hex_key: str) -> str:
    totp = TOTP(bytes.fromhex(hex_key))
    totp.time = time.time()
    return f"{totp.token():06d}"


def is_in(client: Client, user: User) -> bool:
    return staff_principal(user, client.session) is not None


def sign_in(client: Client, user: User) -> None:
    give_password(client, user)
    client.post(CODE, {"code": code_of(phone_of(user))})


def events(subtype: str) -> list[tuple[str, str]]:
    return [(e.outcome, e.entity_id) for e in AuditEvent.objects.filter(subtype=subtype).order_by("id")]


# --- password


def test_password_alone_leads_to_enrolment_and_opens_nothing(client: Client, clinician: User) -> None:
    answer = give_password(client, clinician)

    assert answer["Location"] == SETUP
    assert not is_in(client, clinician)
    assert client.get(CODES)["Location"].startswith(SIGNIN)
    event = AuditEvent.objects.get(subtype="user.signin")
    assert (event.user, event.clinic, event.detail) == (
        clinician,
        clinician.memberships.get().clinic,
        {"step": "password"},
    )


def test_password_leads_to_the_code_who_has_a_phone(client: Client, clinician: User) -> None:
    phone_of(clinician)

    assert give_password(client, clinician)["Location"] == CODE


@pytest.mark.parametrize("typed", ["AMARA@example.org", " amara@example.org "])
def test_email_case_and_spaces_do_not_matter(client: Client, clinician: User, typed: str) -> None:
    assert give_password(client, clinician, email=typed).status_code == 302


def test_unknown_user_and_wrong_password_read_the_same_and_keep_the_email(client: Client, clinician: User) -> None:
    def refused(email: str) -> str:
        page = client.post(SIGNIN, {"email": email, "password": "wrong"}).content.decode()
        assert f'value="{email}"' in page
        return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page.replace(email, ""))

    assert refused("amara@example.org") == refused("nobody@example.org")
    assert events("user.signin") == [("4", str(clinician.pk)), ("4", "")]
    assert not AuditEvent.objects.exclude(user=None).exists()


def test_disabled_user_cannot_sign_in(client: Client, clinician: User) -> None:
    clinician.is_active = False
    clinician.save()

    assert give_password(client, clinician).status_code == 200
    assert "_auth_user_id" not in client.session


def test_many_wrong_passwords_lock_account_and_address_together(
    client: Client, clinician: User, front_desk: User
) -> None:
    wrong = {"email": clinician.email, "password": "wrong"}
    statuses = [client.post(SIGNIN, wrong).status_code for _ in range(8)]

    locked = give_password(client, clinician)

    assert statuses == [200] * 7 + [429]
    assert locked.status_code == 429
    assert "Wait 1 minute," in locked.content.decode()
    assert f'value="{clinician.email}"' in locked.content.decode()
    assert events("user.lock")[-1] == ("4", str(clinician.pk))
    # Others still come in from there, and the owner from elsewhere.
    assert give_password(Client(), front_desk).status_code == 302
    assert client.post(SIGNIN, wrong | {"password": factories.PASSWORD}, REMOTE_ADDR="10.0.0.9").status_code == 302


def test_forwarded_address_is_not_believed_without_a_proxy(client: Client, clinician: User) -> None:
    wrong = {"email": clinician.email, "password": "wrong"}
    for n in range(8):
        client.post(SIGNIN, wrong, HTTP_X_FORWARDED_FOR=f"10.0.0.{n}")

    assert client.post(SIGNIN, wrong, HTTP_X_FORWARDED_FOR="10.0.0.99").status_code == 429


def test_no_address_of_a_person_is_logged(client: Client, clinician: User, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(9):
        client.post(SIGNIN, {"email": clinician.email, "password": "wrong-word"})

    assert clinician.email not in caplog.text
    assert "wrong-word" not in caplog.text


def test_pages_speak_the_users_language_after_signing_in(client: Client, clinician: User) -> None:
    clinician.language = "es"
    clinician.save()

    # Whatever the person before them had switched this browser to.
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    give_password(client, clinician)

    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == ""
    assert '<html lang="es"' in client.get(SETUP).content.decode()


# --- next


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/link-needed/?a=1", "/link-needed/?a=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
        ("", "/"),
    ],
)
def test_next_leads_to_our_own_pages_only(client: Client, clinician: User, wanted: str, got: str) -> None:
    device = phone_of(clinician)
    give_password(client, clinician, next=wanted)

    assert client.post(CODE, {"code": code_of(device)})["Location"] == got


def test_a_closed_page_is_reached_after_signing_in(client: Client, clinician: User) -> None:
    device = phone_of(clinician)
    shut = client.get(CODES)
    page = client.get(shut["Location"]).content.decode()
    assert f'name="next" value="{CODES}"' in page

    give_password(client, clinician, next=CODES)

    assert client.post(CODE, {"code": code_of(device)})["Location"] == CODES


# --- enrolment


def test_enrolment_shows_a_secret_confirms_it_and_gives_ten_codes_once(client: Client, clinician: User) -> None:
    give_password(client, clinician)
    page = client.get(SETUP).content.decode()
    key = client.session["mfa_key"]
    shown = "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", page))
    assert bytes.fromhex(key) == __import__("base64").b32decode(shown)
    assert "<svg" in page
    assert "style=" not in page

    answer = client.post(SETUP, {"code": code_for(key)})

    assert answer["Location"] == CODES
    assert is_in(client, clinician)
    assert TOTPDevice.objects.get(user=clinician).name == "Authenticator app"
    page = client.get(CODES).content.decode()
    codes = re.findall(r"<li>([2-9A-Z]{4}-[2-9A-Z]{4})</li>", page)
    assert len(set(codes)) == 10
    assert not set(codes) & set(StaticToken.objects.values_list("token", flat=True))
    assert client.post(CODES).status_code == 200  # not ticked: shown again
    assert client.post(CODES, {"saved": "on"})["Location"] == "/"
    assert codes[0] not in client.get(CODES).content.decode()
    assert [name for name, in AuditEvent.objects.order_by("id").values_list("subtype")] == [
        "user.signin", "mfa.enrol", "recovery-codes.make",
    ]  # fmt: skip


def test_wrong_code_does_not_enrol(client: Client, clinician: User) -> None:
    give_password(client, clinician)
    client.get(SETUP)
    key = client.session["mfa_key"]

    answer = client.post(SETUP, {"code": "000000" if code_for(key) != "000000" else "111111"})

    assert "That code did not work" in answer.content.decode()
    assert not TOTPDevice.objects.exists()
    assert client.session["mfa_key"] == key
    assert events("mfa.enrol") == [("4", str(clinician.pk))]


def test_secret_is_new_for_each_sign_in(client: Client, clinician: User) -> None:
    other = Client()
    for browser in (client, other):
        give_password(browser, clinician)
        browser.get(SETUP)

    assert client.session["mfa_key"] != other.session["mfa_key"]


def test_who_has_a_phone_cannot_enrol_another_with_the_password_alone(client: Client, clinician: User) -> None:
    give_password(client, clinician)
    client.get(SETUP)
    key = client.session["mfa_key"]
    phone_of(clinician)

    assert client.get(SETUP)["Location"] == CODE
    assert client.post(SETUP, {"code": code_for(key)})["Location"] == CODE
    assert TOTPDevice.objects.count() == 1


# --- the code


def test_right_code_comes_in_with_a_new_session_key_at_each_step(client: Client, clinician: User) -> None:
    device = phone_of(clinician)
    keys = {client.session.session_key}
    give_password(client, clinician)
    keys.add(client.session.session_key)

    answer = client.post(CODE, {"code": code_of(device)})

    keys.add(client.session.session_key)
    assert answer["Location"] == "/"
    assert is_in(client, clinician)
    assert len(keys) == 3
    assert [SessionStore().exists(key) for key in keys if key != client.session.session_key] == [False, False]
    assert events("mfa.verify") == [("0", str(clinician.pk))]


def test_a_code_works_once(client: Client, clinician: User) -> None:
    device = phone_of(clinician)
    code = code_of(device)
    give_password(client, clinician)
    client.post(CODE, {"code": code})
    second = Client()
    give_password(second, clinician)

    answer = second.post(CODE, {"code": code})

    assert "That code did not work" in answer.content.decode()
    assert not is_in(second, clinician)


def test_spaces_in_a_code_do_not_matter(client: Client, clinician: User) -> None:
    code = code_of(phone_of(clinician))
    give_password(client, clinician)

    assert client.post(CODE, {"code": f" {code[:3]} {code[3:]} "}).status_code == 302


def test_wrong_codes_make_it_wait_in_clear_words(client: Client, clinician: User) -> None:
    device = phone_of(clinician)
    give_password(client, clinician)
    wrong = "000000" if code_of(device) != "000000" else "111111"
    for _ in range(guessing.CODE_TIMES):
        client.post(CODE, {"code": wrong})

    answer = client.post(CODE, {"code": code_of(device)})

    assert "Too many wrong codes. Wait 1 minute, then enter the newest one." in answer.content.decode()
    assert not is_in(client, clinician)
    assert AuditEvent.objects.filter(subtype="mfa.verify").first().detail == {"kind": "totp", "reason": "throttled"}


def test_what_is_no_code_is_not_counted(client: Client, clinician: User) -> None:
    device = phone_of(clinician)
    give_password(client, clinician)

    for text in ("", "12345", "abcdef", "1234567", "１２３４５６", "-12345", "\x00"):
        assert client.post(CODE, {"code": text}).status_code == 200

    assert client.post(CODE, {"code": code_of(device)}).status_code == 302


def test_another_persons_code_does_not_work(client: Client, clinician: User, front_desk: User) -> None:
    phone_of(clinician)
    other = phone_of(front_desk)
    give_password(client, clinician)

    client.post(CODE, {"code": code_of(other)})

    assert not is_in(client, clinician)


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_posts_of_one_code_bring_one_in(clinician: User) -> None:
    device = phone_of(clinician)
    browsers = [Client() for _ in range(20)]
    for browser in browsers:
        give_password(browser, clinician)
    code = code_of(device)

    at_once(20, lambda n: browsers[n].post(CODE, {"code": code}))

    assert sum(is_in(browser, clinician) for browser in browsers) == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_posts_of_one_recovery_code_bring_one_in(clinician: User) -> None:
    phone_of(clinician)
    code = recovery_codes(clinician)[0]
    browsers = [Client() for _ in range(20)]
    for browser in browsers:
        give_password(browser, clinician)

    at_once(20, lambda n: browsers[n].post(CODE + "?recovery", {"code": code}))

    assert sum(is_in(browser, clinician) for browser in browsers) == 1
    assert mfa.recovery_codes_left(clinician) == 9


@pytest.mark.django_db(transaction=True)
def test_parallel_enrolments_make_one_phone(clinician: User) -> None:
    browsers = [Client() for _ in range(6)]
    for browser in browsers:
        give_password(browser, clinician)
        browser.get(SETUP)
    codes = [code_for(browser.session["mfa_key"]) for browser in browsers]

    at_once(6, lambda n: browsers[n].post(SETUP, {"code": codes[n]}))

    assert TOTPDevice.objects.count() == 1
    assert sum(is_in(browser, clinician) for browser in browsers) == 1


def test_an_address_that_only_capitals_make_the_same_is_another_one(
    clinician: User, stranger: User, client: Client
) -> None:
    """A long s is no s: else by it one account had many counts of guesses, and two accounts one address."""
    clinician.email = stranger.email.replace("s", "\u017f", 1)
    clinician.save()

    for user in (stranger, clinician):
        assert give_password(client, user).status_code == 302
        assert client.session["_auth_user_id"] == str(user.pk)
    clinician.email = "amara@example.org"
    clinician.save()
    assert give_password(Client(), stranger, email="\u017fam@example.org").status_code == 200


# --- recovery codes


@pytest.fixture
def codes(clinician: User) -> list[str]:
    phone_of(clinician)
    return recovery_codes(clinician)


def test_recovery_code_comes_in_once_and_offers_a_new_phone(client: Client, clinician: User, codes: list[str]) -> None:
    give_password(client, clinician)

    answer = client.post(CODE + "?recovery", {"code": codes[3].lower().replace("-", " ")})

    assert answer["Location"] == SETUP
    assert is_in(client, clinician)
    page = client.get(SETUP).content.decode()
    assert "You have 9 recovery codes left." in page
    assert "Set up your new phone" in page
    second = Client()
    give_password(second, clinician)
    assert second.post(CODE + "?recovery", {"code": codes[3]}).status_code == 200
    assert not is_in(second, clinician)


def test_who_finds_a_page_open_that_a_recovery_code_opened_enrols_no_phone(
    client: Client, clinician: User, codes: list[str]
) -> None:
    """What changes factors asks for one again."""
    give_password(client, clinician)
    client.post(CODE + "?recovery", {"code": codes[0]})
    client.get(SETUP)
    session = client.session
    session[mfa.SESSION_CONFIRMED] = time.time() - 11 * 60
    session.save()

    answer = client.post(SETUP, {"code": code_for(client.session["mfa_key"])})

    assert "stepup-recovery_code" in answer.content.decode()
    assert TOTPDevice.objects.count() == 1
    key = client.session["mfa_key"]
    given = {"stepup-recovery_code": codes[1], "stepup-method": "POST", "code": code_for(key)}
    assert client.post(SETUP, given).headers["Location"] == CODES
    assert TOTPDevice.objects.get().key == key


def test_new_phone_replaces_the_lost_one_everywhere(client: Client, clinician: User, codes: list[str]) -> None:
    thief = Client()
    give_password(thief, clinician)
    thief.post(CODE, {"code": code_of(TOTPDevice.objects.get())})
    assert is_in(thief, clinician)
    give_password(client, clinician)
    client.post(CODE + "?recovery", {"code": codes[0]})
    client.get(SETUP)

    client.post(SETUP, {"code": code_for(client.session["mfa_key"])})

    assert TOTPDevice.objects.count() == 1
    assert is_in(client, clinician)
    assert not is_in(thief, clinician)
    assert mfa.recovery_codes_left(clinician) == 10


def test_new_recovery_codes_end_the_old(client: Client, clinician: User, codes: list[str]) -> None:
    give_password(client, clinician)
    client.post(CODE, {"code": code_of(TOTPDevice.objects.get())})

    assert "You have 10 recovery codes left." in client.get(CODES).content.decode()
    assert client.post(CODES)["Location"] == CODES

    assert codes[0] not in client.get(CODES).content.decode()
    assert StaticToken.objects.count() == 10
    other = Client()
    give_password(other, clinician)
    other.post(CODE + "?recovery", {"code": codes[0]})
    assert not is_in(other, clinician)


def test_new_recovery_codes_end_what_an_old_one_opened(client: Client, clinician: User, codes: list[str]) -> None:
    thief = Client()
    give_password(thief, clinician)
    thief.post(CODE + "?recovery", {"code": codes[0]})
    assert is_in(thief, clinician)
    give_password(client, clinician)
    client.post(CODE + "?recovery", {"code": codes[1]})

    client.post(CODES)

    assert "Save these recovery codes" in client.get(CODES).content.decode()
    assert is_in(client, clinician)
    assert not is_in(thief, clinician)
    assert thief.get(SETUP)["Location"] == SIGNIN


def test_a_session_that_lost_its_second_factor_enrols_none_without_the_password(
    client: Client, clinician: User
) -> None:
    sign_in(client, clinician)

    mfa.reset(clinician, by=factories.make_user())

    assert client.get(CODES)["Location"].startswith(SIGNIN)
    assert client.get(SETUP)["Location"] == SIGNIN
    assert "_auth_user_id" not in client.session
    give_password(client, clinician)
    assert client.get(SETUP).status_code == 200


def test_a_password_given_again_asks_for_the_second_factor_again(client: Client, clinician: User) -> None:
    sign_in(client, clinician)

    assert give_password(client, clinician)["Location"] == CODE
    assert not is_in(client, clinician)


def test_only_hashes_of_recovery_codes_are_kept(codes: list[str]) -> None:
    kept = set(StaticToken.objects.values_list("token", flat=True))

    assert {mfa.hash_recovery_code(code) for code in codes} == kept
    assert all(len(token) == 16 for token in kept)


# --- out, disabled, moved


def test_signing_out_is_a_post_and_ends_the_session(client: Client, clinician: User) -> None:
    sign_in(client, clinician)
    key = client.session.session_key

    assert client.get("/signout/").status_code == 405
    assert client.post("/signout/")["Location"] == SIGNIN

    assert not SessionStore().exists(key)
    assert events("user.signout") == [("0", str(clinician.pk))]


def test_half_signed_in_can_sign_out(client: Client, clinician: User) -> None:
    give_password(client, clinician)

    client.post("/signout/")

    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("end", ["disable", "membership", "phone"])
def test_who_is_ended_is_out_at_the_next_request(client: Client, clinician: User, end: str) -> None:
    sign_in(client, clinician)
    assert client.get(CODES).status_code == 200

    if end == "disable":
        User.objects.update(is_active=False)
    elif end == "membership":
        Membership.objects.update(is_active=False)
    else:
        TOTPDevice.objects.all().delete()

    assert not is_in(client, User.objects.get())
    answer = client.get("/admin/")
    assert answer.status_code in {302, 403}


def test_without_a_clinic_there_is_a_clear_page_and_no_loop(client: Client, db: Any) -> None:
    loner = factories.make_user()
    answer = client.post(SIGNIN, {"email": loner.email, "password": factories.PASSWORD}, follow=True)

    assert answer.status_code == 403
    assert "Your account belongs to no clinic" in answer.content.decode()
    for path in (SIGNIN, CODE, SETUP, "/no-clinic/"):
        assert client.get(path, follow=True).status_code == 403
    sign_out = client.post("/signout/")
    assert sign_out["Location"] == SIGNIN


def test_membership_that_ended_while_signed_in_leads_to_the_clear_page(client: Client, clinician: User) -> None:
    sign_in(client, clinician)
    Membership.objects.update(is_active=False)

    answer = client.get("/", follow=True)

    assert answer.status_code == 403
    assert "Your account belongs to no clinic" in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "is_staff", "goes"),
    [
        (Role.CLINICIAN, False, settings.STAFF_HOME),
        (Role.FRONT_DESK, False, settings.STAFF_HOME),
        (Role.CLINIC_ADMIN, True, "admin:index"),
        (Role.CLINIC_ADMIN, False, settings.STAFF_HOME),
        (Role.AUDITOR, True, "admin:index"),
        (Role.AUDITOR, False, "accounts:no-clinic"),
    ],
)
def test_home_leads_each_role_to_its_work(clinic: Clinic, verified: Any, role: Role, is_staff: bool, goes: str) -> None:
    user = factories.make_member(clinic, role, is_staff=is_staff)

    assert verified(user).get("/")["Location"] == reverse(goes)


def test_home_leads_strangers_to_sign_in(client: Client, db: Any) -> None:
    assert client.get("/")["Location"] == SIGNIN


def test_home_leads_the_superuser_without_clinic_to_the_admin(verified: Any, db: Any) -> None:
    user = factories.make_user(is_staff=True, is_superuser=True)
    browser = verified(user)

    assert browser.get("/")["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200


# --- several clinics


def test_switching_clinics(verified: Any, clinician: User, other_clinic: Clinic) -> None:
    Membership.objects.create(user=clinician, clinic=other_clinic, role=Role.FRONT_DESK)
    browser = verified(clinician)

    assert browser.post("/clinic/", {"clinic": str(other_clinic.pk)})["Location"] == "/"

    principal = staff_principal(clinician, browser.session)
    assert principal is not None
    assert (principal.clinic, principal.role) == (other_clinic, Role.FRONT_DESK)
    assert AuditEvent.objects.get(subtype="clinic.switch").clinic == other_clinic


@pytest.mark.parametrize("which", ["stranger", "ended", "nonsense", "missing"])
def test_switching_to_a_clinic_one_is_not_in_is_404(
    verified: Any, clinician: User, other_clinic: Clinic, which: str
) -> None:
    if which == "ended":
        Membership.objects.create(user=clinician, clinic=other_clinic, role=Role.FRONT_DESK, is_active=False)
    ids = {"nonsense": "x", "missing": ""}
    browser = verified(clinician)

    assert browser.post("/clinic/", {"clinic": ids.get(which, str(other_clinic.pk))}).status_code == 404


def test_time_zone_is_that_of_the_person_and_ends_with_the_request(verified: Any, clinician: User) -> None:
    clinician.time_zone = "Asia/Tokyo"
    clinician.save()

    verified(clinician).get(CODES)

    assert timezone.get_current_timezone_name() == "UTC"
    assert threading.active_count() >= 1
