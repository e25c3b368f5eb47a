"""Choosing a password: by mail, and with the old one."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher, PBKDF2PasswordHasher, check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.mfa.tasks import mail_change
from accounts.models import AuditEvent, User
from accounts.password import services
from accounts.password.tasks import mail_link
from accounts.principal import staff_principal
from tests import factories

NEW = "quiet river over nine stones"
REAL_HASHERS = [
    "accounts.password.hashers.Argon2idPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


def mailed_link(user: User) -> str:
    services.mail_link(user)
    found = re.search(r"^http\S+$", mail.outbox[-1].body, re.MULTILINE)
    assert found
    return found.group().removeprefix(settings.BASE_URL)


@pytest.fixture
def asked(monkeypatch: Any) -> list[str]:
    """Ids of the users to whom a worker is to mail."""
    ids: list[str] = []
    monkeypatch.setattr("accounts.password.tasks.mail_link.delay", ids.append)
    return ids


def test_mailed_link_sets_the_password_once_and_signs_nobody_in(client: Client, clinician: User) -> None:
    url = mailed_link(clinician)
    for _ in range(3):
        assert client.get(url).status_code == 200

    assert client.post(url, {"new": NEW})["Location"] == reverse("accounts:signin")

    clinician.refresh_from_db()
    assert clinician.check_password(NEW)
    assert "_auth_user_id" not in client.session
    assert client.get(url).status_code == 410
    assert client.post(url, {"new": "something else entirely"}).status_code == 410
    event = AuditEvent.objects.get(subtype="user.password")
    assert (event.user, event.detail) == (clinician, {"by": "mail"})


def test_whose_password_was_changed_hears_of_it(
    client: Client, clinician: User, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(mail_change, "delay", lambda *about: told.append(about))
    url = mailed_link(clinician)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(url, {"new": NEW})
    mail_change(*told[0])

    message = mail.outbox[-1]
    assert message.to == [clinician.email]
    assert "The password of your account was changed." in message.body


def test_new_password_still_needs_the_second_factor(client: Client, clinician: User) -> None:
    """Row 13 of the checklist: a reset does not go past the second factor."""
    client.post(mailed_link(clinician), {"new": NEW})

    client.post("/signin/", {"email": clinician.email, "password": NEW})

    assert staff_principal(clinician, client.session) is None


def test_new_password_ends_other_sessions_and_the_lock(client: Client, verified: Any, clinician: User) -> None:
    elsewhere = verified(clinician)
    for _ in range(8):
        client.post("/signin/", {"email": clinician.email, "password": "wrong"})

    client.post(mailed_link(clinician), {"new": NEW})

    assert elsewhere.get(reverse("accounts:password")).status_code == 302
    assert client.post("/signin/", {"email": clinician.email, "password": NEW}).status_code == 302


@pytest.mark.parametrize("bad", ["short", "password1234", "", "amara@example.org", "x" * 2000])
def test_weak_passwords_are_refused_in_words(client: Client, clinician: User, bad: str) -> None:
    url = mailed_link(clinician)

    answer = client.post(url, {"new": bad})

    assert answer.status_code == 200
    assert "There is a problem" in answer.content.decode()
    assert client.get(url).status_code == 200


def test_link_of_another_person_or_a_disabled_one_is_refused(client: Client, clinician: User, front_desk: User) -> None:
    url = mailed_link(clinician)

    assert client.get(url.replace(str(clinician.pk), str(front_desk.pk))).status_code == 410
    User.objects.update(is_active=False)
    assert client.post(url, {"new": NEW}).status_code == 410


def test_asking_says_the_same_for_strangers(
    client: Client, clinician: User, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    def ask(email: str) -> str:
        with django_capture_on_commit_callbacks(execute=True):
            page = client.post("/password/forgotten/", {"email": email}).content.decode()
        return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page)

    assert ask("AMARA@example.org") == ask("nobody@example.org")
    assert asked[0] == str(clinician.pk)
    assert not User.objects.filter(pk=asked[1]).exists()
    mail_link(asked[1])
    assert mail.outbox == []


def test_at_most_three_mails_an_hour(
    client: Client, clinician: User, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(6):
            client.post("/password/forgotten/", {"email": clinician.email})

    assert len(asked) == 3


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("path", "fields"), [("/password/forgotten/", {}), ("/signin/", {"password": "wrong"})])
def test_a_known_and_an_unknown_email_cost_the_same(
    client: Client, clinician: User, monkeypatch: Any, path: str, fields: dict[str, str]
) -> None:
    """Row 13 of the checklist: neither answer nor work tells whether there is an account (counted: queries, hashes)."""
    hashes: list[str] = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda self, *given: (hashes.append(self.algorithm), encode(self, *given))[1]
    )

    def cost(email: str) -> tuple[int, list[str], list[str]]:
        hashes.clear()
        with CaptureQueriesContext(connection) as queries:
            client.post(path, {"email": email} | fields)
        shapes = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]
        return len(queries), [shape.split("WHERE")[0][:60] for shape in shapes], list(hashes)

    cost("first@example.org")
    assert cost(clinician.email) == cost("nobody@example.org")


@pytest.mark.usefixtures("asked")
def test_asking_for_a_mail_is_on_the_trail_and_nobody_did_it(client: Client, clinician: User) -> None:
    client.post("/password/forgotten/", {"email": clinician.email})

    event = AuditEvent.objects.get(subtype="user.password-mail")
    assert (event.user, event.entity_id, event.address) == (None, str(clinician.pk), "127.0.0.1")
    assert event.clinic == clinician.memberships.get().clinic


def test_a_mail_that_does_not_go_out_is_logged_without_the_address(
    clinician: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there

    mail_link(str(clinician.pk))

    assert f"password mail for user {clinician.pk}: ConnectionRefusedError" in caplog.text
    assert clinician.email not in caplog.text


def test_mail_speaks_the_persons_language_and_says_nothing_else(clinician: User) -> None:
    mailed_link(clinician)

    message = mail.outbox[-1]
    assert message.to == [clinician.email]
    assert message.subject == "Riverside Family Clinic: choose a new password"
    assert clinician.name not in message.body


def test_changing_needs_the_old_one_and_keeps_this_session(verified: Any, clinician: User) -> None:
    browser, elsewhere = verified(clinician), verified(clinician)
    url = reverse("accounts:password")

    assert browser.post(url, {"old": "wrong", "new": NEW}).status_code == 200
    assert browser.post(url, {"old": factories.PASSWORD, "new": NEW}).status_code == 302

    assert browser.get(url).status_code == 200
    assert elsewhere.get(url).status_code == 302
    clinician.refresh_from_db()
    assert clinician.check_password(NEW)


def test_guessing_the_old_password_is_limited(verified: Any, clinician: User) -> None:
    browser = verified(clinician)
    for _ in range(10):
        browser.post(reverse("accounts:password"), {"old": "wrong", "new": NEW})

    answer = browser.post(reverse("accounts:password"), {"old": factories.PASSWORD, "new": NEW})

    assert "Too many tries" in answer.content.decode()
    clinician.refresh_from_db()
    assert clinician.check_password(factories.PASSWORD)


# --- what is kept, and what is refused


def test_passwords_are_kept_by_argon2id(settings: Any) -> None:
    """Row 10 of the checklist: argon2id, at the least that OWASP asks for."""
    settings.PASSWORD_HASHERS = REAL_HASHERS

    kept = make_password(NEW)

    assert kept.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(NEW, kept)


def test_an_old_hash_is_made_anew_at_sign_in(client: Client, clinician: User, settings: Any) -> None:
    settings.PASSWORD_HASHERS = REAL_HASHERS
    clinician.password = PBKDF2PasswordHasher().encode(NEW, "salt" * 6)
    clinician.save()

    assert client.post("/signin/", {"email": clinician.email, "password": NEW}).status_code == 302

    clinician.refresh_from_db()
    assert clinician.password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    "bad",
    [
        "riversidefamily",
        "Riverside-Clinic-2026!",
        "AmaraOkafor1979",
        "telehealth2026",
        "Telehealth Riverside",
        "amara.okafor@example.org",
        "Contraseña2026!",
        "okaforokaforokafor",
    ],
)
def test_words_of_the_context_are_refused_in_words(clinician: User, bad: str) -> None:
    """Row 10 of the checklist: words that anybody would try for this person are refused."""
    with pytest.raises(ValidationError) as refused:
        validate_password(bad, clinician)

    assert "password_of_context" in {error.code for error in refused.value.error_list}


@pytest.mark.parametrize(
    "good", [NEW, "aaaaaaaaaaab", "amara sails under nine moons", "ünïcödé wörds äre fine", "🦊" * 12]
)
def test_length_is_what_counts(clinician: User, good: str) -> None:
    """Row 10 of the checklist: nothing is asked of which characters there are."""
    validate_password(good, clinician)


def test_pasting_is_not_hindered(client: Client, clinician: User) -> None:
    """Row 10 of the checklist: password managers may fill and paste."""
    for url in ("/signin/", mailed_link(clinician)):
        assert "onpaste" not in client.get(url).content.decode()
    scripts = (settings.BASE_DIR / "static/js").rglob("*.js")
    assert not [path for path in scripts if '"paste"' in path.read_text()]
