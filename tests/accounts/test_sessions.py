"""Sessions: who has them, how long they last, and that one which has ended opens nothing any more."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from freezegun import freeze_time

from accounts.login.tasks import clear_sessions
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, Clinic, Membership, Session, TOTPDevice, User
from accounts.policy import Role
from accounts.sessions import services
from accounts.sessions.devices import words_for
from accounts.sessions.limits import limit_of
from accounts.sessions.store import SessionStore
from telehealth.celery import app
from telehealth.env import env_session_limits
from tests import factories
from tests.conftest import verify
from tests.threads import at_once

pytestmark = pytest.mark.django_db

LIST = "/sessions/"
PAGE = "/today/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def here(clinician: User) -> Client:
    return verify(Client(), clinician)


@pytest.fixture
def elsewhere(clinician: User) -> Client:
    return verify(Client(), clinician)


def session_of(client: Client) -> Session:
    store = client.session
    assert isinstance(store, SessionStore)
    row = store.read()
    assert row is not None
    return row


def is_in(client: Client) -> bool:
    """By the cookie alone, as a thief has it."""
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return [thief.get(url).status_code for url in (PAGE, LIST, "/factors/")] == [200, 200, 200]


def make_session(ends_in: timedelta) -> str:
    session = SessionStore()
    session["mfa_key"] = "a key that nobody confirmed"
    session.save()
    Session.objects.filter(pk=session.read().pk).update(expires_at=timezone.now() + ends_in)  # type: ignore[union-attr]
    return str(session.session_key)


def test_expired_sessions_are_removed_and_others_stay() -> None:
    make_session(timedelta(seconds=-1))
    living = make_session(timedelta(hours=1))

    clear_sessions()

    assert Session.objects.count() == 1
    assert SessionStore().exists(living)


def test_every_periodic_job_names_a_task_that_exists() -> None:
    app.loader.import_default_modules()

    assert {job["task"] for job in app.conf.beat_schedule.values()} <= set(app.tasks)


# --- how long


def test_without_activity_a_session_ends(clinician: User) -> None:
    """Row 3 of the checklist: automatic logoff."""
    with freeze_time("2026-03-02 15:00") as clock:
        client = verify(Client(), clinician)
        clock.tick(timedelta(minutes=14))
        assert client.get(PAGE).status_code == 200
        clock.tick(timedelta(minutes=14))
        assert client.get(PAGE).status_code == 200
        clock.tick(timedelta(minutes=15))

        answer = client.get(PAGE)

    assert answer["Location"] == "/signin/?next=%2Ftoday%2F&ended=1"
    assert "You were signed out." in client.get(answer["Location"]).content.decode()


def test_what_a_page_asks_for_by_itself_is_no_activity(here: Client) -> None:
    with freeze_time(timezone.now()) as clock:
        for _ in range(4):
            clock.tick(timedelta(minutes=4))
            last = here.get(
                "/today/board/", headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{PAGE}"}
            )

    assert last.status_code == 403
    assert last["HX-Redirect"] == "/signin/?next=%2Ftoday%2F&ended=1"


def test_no_activity_extends_the_absolute_limit(clinician: User) -> None:
    """Row 9 of the checklist: staff are signed in for twelve hours at most, whatever they do."""
    with freeze_time("2026-03-02 08:00") as clock:
        client = verify(Client(), clinician)
        for _ in range(71):
            clock.tick(timedelta(minutes=10))
            assert client.post("/sessions/extend/").status_code == 204
        clock.tick(timedelta(minutes=10))

        assert client.post("/sessions/extend/").status_code == 403
        assert client.get(PAGE).status_code == 302


def test_a_session_that_ended_is_not_revived(here: Client) -> None:
    session = session_of(here)
    Session.objects.update(expires_at=timezone.now())

    services.note_activity(session, at_once=True)

    assert not is_in(here)


def test_of_several_roles_the_shortest_limits_count(clinic: Clinic, other_clinic: Clinic, clinician: User) -> None:
    assert limit_of(clinician).idle == timedelta(minutes=15)
    Membership.objects.create(user=clinician, clinic=other_clinic, role=Role.CLINIC_ADMIN)
    assert limit_of(clinician).idle == timedelta(minutes=10)
    assert limit_of(factories.make_user(is_superuser=True, is_staff=True)).absolute == timedelta(hours=8)
    assert limit_of(None).idle == timedelta(hours=1)


def test_no_limit_is_longer_than_the_standard_allows() -> None:
    """Row 9 of the checklist: an hour without activity and a day in all, at most."""
    assert all(idle <= 60 and absolute <= 24 * 60 for idle, absolute in settings.SESSION_LIMITS.values())


@pytest.mark.parametrize("page", ["/admin/", "/admin/accounts/patient/add/?_popup=1", "/sessions/"])
def test_every_page_of_staff_and_of_the_admin_can_warn(verified: Any, clinic_admin: User, page: str) -> None:
    for language, words in (("en", "Are you still there?"), ("es", "¿Sigue ahí?")):
        clinic_admin.language = language
        clinic_admin.save()
        shown = verified(clinic_admin).get(page).content.decode()

        assert words in shown
        assert reverse("accounts:session-extend") in shown
        assert "css/session.css" in shown


@pytest.mark.parametrize(
    "wrong", ["clinician=61/720", "clinician=4/720", "clinician=30/1441", "nurse=15/720", "15/720"]
)
def test_limits_that_are_misread_stop_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("LIMITS", wrong)
    with pytest.raises(ImproperlyConfigured):
        env_session_limits("LIMITS", {"clinician": (15, 720)})


def test_limits_of_roles_are_set_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMITS", "clinician=30/600")
    limits = env_session_limits("LIMITS", {"clinician": (15, 720), "auditor": (10, 480)})
    assert limits == {"clinician": (30, 600), "auditor": (10, 480)}


# --- the list


def test_the_list_says_in_plain_words_where_one_is_signed_in(clinician: User, stranger: User) -> None:
    here = Client(headers={"User-Agent": FIREFOX})
    here.post("/signin/", {"email": clinician.email, "password": factories.PASSWORD})
    verify_again(here, clinician)
    other = verify(Client(), clinician)
    Session.objects.filter(pk=session_of(other).pk).update(user_agent=IPHONE, network="203.0.113.0/24")
    of_stranger = session_of(verify(Client(), stranger))

    page = here.get(LIST).content.decode()

    assert page.index("Firefox on Windows") < page.index("This one") < page.index("Safari on iPhone")
    assert "203.0.113.0/24" in page
    assert "127.0.0.0/24" in page
    assert str(of_stranger.pk) not in page


def verify_again(client: Client, user: User) -> None:
    """The second step of a sign-in by the page."""
    device = TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session.save()


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on iPhone"),
        ("curl/8.9", "curl"),
        ("", "Unknown browser"),
        ("\0<script>", "Unknown browser"),
    ],
)
def test_browsers_in_words(says: str, words: str) -> None:
    assert words_for(says) == words


def test_addresses_are_kept_shortened() -> None:
    assert services.network_of("203.0.113.77") == "203.0.113.0/24"
    assert services.network_of("2001:db8:1:2:3::4") == "2001:db8:1::/48"
    assert services.network_of(None) == ""


def test_one_is_ended_from_the_list(here: Client, elsewhere: Client, clinician: User) -> None:
    ended = session_of(elsewhere).pk

    answer = here.post(f"/sessions/{ended}/end/", follow=True)

    assert "That session is ended." in answer.content.decode()
    assert not is_in(elsewhere)
    assert is_in(here)
    event = AuditEvent.objects.get(subtype="session.end")
    assert (event.user, event.entity_id, event.outcome) == (clinician, str(ended), "0")


def test_all_others_are_ended_from_the_list(here: Client, elsewhere: Client) -> None:
    here.post("/sessions/end-others/")

    assert not is_in(elsewhere)
    assert is_in(here)
    assert AuditEvent.objects.get(subtype="session.end-all").detail == {"why": "person", "sessions": 1}


def test_ending_ones_own_leads_to_signing_in(here: Client) -> None:
    assert here.post(f"/sessions/{session_of(here).pk}/end/")["Location"] == "/signin/"
    assert not is_in(here)


def test_anothers_session_cannot_be_seen_or_ended(here: Client, stranger: User, front_desk: User) -> None:
    for other in (stranger, front_desk):
        client = verify(Client(), other)
        session = session_of(client)
        assert here.post(f"/sessions/{session.pk}/end/").status_code == 404
        assert str(session.pk) not in here.get(LIST).content.decode()
        assert Session.objects.filter(pk=session.pk).exists()


@pytest.mark.parametrize("works_here", [True, False])
def test_a_clinics_admin_ends_no_session_of_who_belongs_to_another_clinic(
    verified: Any, clinic_admin: User, stranger: User, clinic: Clinic, works_here: bool
) -> None:
    """Nor sees where a former member is signed in."""
    Membership.objects.create(user=stranger, clinic=clinic, role=Role.CLINICIAN, is_active=works_here)
    there, own = verify(Client(), stranger), verified(clinic_admin)
    session, page = Session.objects.get(user=stranger), reverse("admin:accounts_session_changelist")

    listed = own.get(page).content.decode()
    own.post(page, {"action": "end", "confirmed": "yes", "_selected_action": [str(session.pk)]})

    assert (stranger.name in listed) is works_here
    assert there.get(reverse("accounts:sessions")).status_code == 200


def test_the_list_wants_a_second_factor(password_only: Callable[[User], Client], clinician: User, here: Client) -> None:
    session = session_of(here)
    for client in (Client(), password_only(clinician)):
        assert client.get(LIST).status_code == 302
        for path in ("extend/", "end-others/", f"{session.pk}/end/"):
            assert client.post(f"{LIST}{path}").status_code == 403
    assert is_in(here)


# --- what ends them


def by_signing_out(thief: Client, owner: Client, user: User) -> None:
    thief.post("/signout/")


def by_the_list(thief: Client, owner: Client, user: User) -> None:
    owner.post(f"/sessions/{session_of(thief).pk}/end/")


def by_disabling(thief: Client, owner: Client, user: User) -> None:
    user.is_active = False
    user.save()


def by_a_password_changed(thief: Client, owner: Client, user: User) -> None:
    new = "another horse battery staple"
    owner.post("/password/", {"old": factories.PASSWORD, "new": new})
    user.refresh_from_db()
    assert user.check_password(new)


def by_a_password_reset(thief: Client, owner: Client, user: User) -> None:
    path = reverse("accounts:password-choose", args=[user.pk, default_token_generator.make_token(user)])
    assert Client().post(path, {"new": "another horse battery staple"}).status_code == 302


def by_a_factor_removed(thief: Client, owner: Client, user: User) -> None:
    other = TOTPDevice.objects.create(user=user, name="old phone", confirmed=True)
    owner.post(f"/factors/phone-{other.pk}/", {"remove": "1"})
    assert not TOTPDevice.objects.filter(pk=other.pk).exists()


def by_new_recovery_codes(thief: Client, owner: Client, user: User) -> None:
    assert owner.post("/mfa/recovery-codes/").status_code == 302


def by_a_reset_of_factors(thief: Client, owner: Client, user: User) -> None:
    mfa.reset(user, by=factories.make_user())


def by_another_role(thief: Client, owner: Client, user: User) -> None:
    membership = user.memberships.get()
    membership.role = Role.FRONT_DESK
    membership.save()


def by_leaving_the_clinic(thief: Client, owner: Client, user: User) -> None:
    user.memberships.get().delete()


def by_rights_in_the_admin(thief: Client, owner: Client, user: User) -> None:
    user.is_staff = True
    user.save()


ENDS = [
    by_signing_out,
    by_the_list,
    by_disabling,
    by_a_password_changed,
    by_a_password_reset,
    by_a_factor_removed,
    by_new_recovery_codes,
    by_a_reset_of_factors,
    by_another_role,
    by_leaving_the_clinic,
    by_rights_in_the_admin,
]


@pytest.mark.parametrize("end", ENDS)
def test_a_stolen_cookie_is_useless_afterwards(end: Any, here: Client, elsewhere: Client, clinician: User) -> None:
    """Row 14 of the checklist: what ends a sign-in ends it for whoever has its cookie."""
    assert is_in(elsewhere)
    ended = session_of(elsewhere).pk

    end(elsewhere, here, clinician)

    assert not is_in(elsewhere)
    assert not Session.objects.filter(pk=ended).exists()


@pytest.mark.parametrize("end", [by_a_password_changed, by_a_factor_removed, by_new_recovery_codes])
def test_who_changes_their_own_account_stays_signed_in(
    end: Any, here: Client, elsewhere: Client, clinician: User
) -> None:
    end(elsewhere, here, clinician)

    assert is_in(here)


def test_a_new_name_ends_nothing(here: Client, clinician: User) -> None:
    clinician.name = "Amara O. Okafor"
    clinician.save()

    assert is_in(here)


def test_the_database_does_not_hold_what_a_browser_shows(here: Client) -> None:
    cookie = here.cookies[settings.SESSION_COOKIE_NAME].value
    row = session_of(here)

    assert cookie not in "".join(str(getattr(row, field.attname)) for field in Session._meta.fields)
    assert not SessionStore().exists(row.key_hash)


def test_a_request_that_runs_meanwhile_brings_nothing_back(here: Client) -> None:
    running, other = here.session, here.session
    running["typed"] = other["typed"] = "Rosa"
    Session.objects.all().delete()

    with pytest.raises(UpdateError):
        running.save()
    with pytest.raises(SessionInterrupted):
        other.cycle_key()
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ending_all_wins_over_requests_that_run(clinician: User) -> None:
    clients = [verify(Client(raise_request_exception=False), clinician) for _ in range(4)]

    def work(client: Client) -> None:
        for _ in range(5):
            client.get(LIST)
            client.post("/language/", {"language": "es", "next": LIST})

    at_once([lambda: services.end_all(clinician, why="test"), *(partial(work, client) for client in clients)])

    assert not services.open_of(clinician).exists()
    assert not any(is_in(client) for client in clients)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Go one step back to copy what you typed"), ("es", "Vuelva un paso atrás para copiar")],
)
def test_a_form_that_comes_too_late_is_answered_by_what_to_do(here: Client, language: str, words: str) -> None:
    Session.objects.all().delete()

    answer = here.post("/password/", {"old": "x", "new": "typed-7f3a"}, headers={"accept-language": language})

    page = answer.content.decode()
    assert answer.status_code == 403
    assert words in page
    assert 'href="/signin/"' in page
    assert "typed-7f3a" not in page  # it may be somebody else who signs in next
