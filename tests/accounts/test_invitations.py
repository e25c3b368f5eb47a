"""Staff are invited: by whom, what the mail holds, how somebody new and somebody known accept, and how it ends."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.invitations import services, tasks
from accounts.models import AuditEvent, Clinic, Invitation, Membership, User
from accounts.models.invitation import State
from accounts.policy import Role
from accounts.sessions.store import SessionStore
from tests import factories
from tests.accounts.test_signin import CODE, SETUP, SIGNIN, code_of, phone_of
from tests.conftest import staff
from tests.threads import at_once

NEW = "quiet river over nine stones"
LIST, ADD = "/admin/accounts/invitation/", "/admin/accounts/invitation/add/"
ENDED = "This invitation has ended"


@pytest.fixture
def invitation(clinic: Clinic, clinic_admin: User) -> Invitation:
    made = Invitation(clinic=clinic, email="Nia@Example.org", name="Nia New", role=Role.FRONT_DESK, language="en")
    services.invite(invitation=made, principal=staff(clinic_admin))
    return made


def mailed(invitation: Invitation) -> str:
    """The path of the link, as a worker mails it."""
    tasks.mail_invitation(str(invitation.pk))
    found = re.search(r"^http\S+$", mail.outbox[-1].body, re.MULTILINE)
    assert found
    return found.group().removeprefix(settings.BASE_URL)


def token_of(invitation: Invitation) -> str:
    return mailed(invitation).rstrip("/").rsplit("/", 1)[-1]


def end(invitation: Invitation, how: State) -> None:
    now = timezone.now()
    values: dict[str, Any] = {
        State.EXPIRED: {"created_at": now - timedelta(days=4), "expires_at": now - timedelta(seconds=1)},
        State.ACCEPTED: {"accepted_at": now, "accepted_by": factories.make_user()},
        State.WITHDRAWN: {"withdrawn_at": now},
    }[how]
    Invitation.objects.filter(pk=invitation.pk).update(**values)


def form(clinic: Clinic, **fields: str) -> dict[str, str]:
    values = {"email": "Nia@Example.org", "name": "Nia New", "role": "front_desk", "language": "es"}
    return {"clinic": str(clinic.pk), **values, **fields}


def act(browser: Client, action: str, *rows: Invitation) -> Any:
    chosen = [str(row.pk) for row in rows]
    return browser.post(LIST, {"action": action, "_selected_action": chosen, "confirmed": "yes"})


# --- inviting


def test_an_admin_invites_by_a_page_and_a_worker_mails_the_link(
    verified: Any, clinic: Clinic, clinic_admin: User, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(tasks.mail_invitation, "delay", asked.append)

    with django_capture_on_commit_callbacks(execute=True):
        assert verified(clinic_admin).post(ADD, form(clinic))["Location"] == LIST

    made = Invitation.objects.get()
    assert asked == [str(made.pk)]
    assert (made.email, made.role, made.created_by, made.token_hash) == (
        "nia@example.org", "front_desk", clinic_admin, None,
    )  # fmt: skip
    assert timedelta(hours=71) < made.expires_at - timezone.now() <= timedelta(hours=72)
    assert not User.objects.filter(email=made.email).exists()
    event = AuditEvent.objects.get(subtype="invitation.send")
    assert (event.user, event.clinic, event.detail) == (clinic_admin, clinic, {"role": "front_desk"})

    token = mailed(made).rstrip("/").rsplit("/", 1)[-1]
    made.refresh_from_db()
    message = mail.outbox[-1]
    assert (message.to, message.subject) == (["nia@example.org"], "Riverside Family Clinic le invita")
    assert "Recepción" in message.body
    assert made.token_hash == services.hash_token(token)
    assert made.sent_at is not None
    assert token not in str(AuditEvent.objects.values_list("detail", flat=True))


def test_a_mail_is_sent_once_and_what_cannot_be_sent_leaves_no_link(
    invitation: Invitation, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
    tasks.mail_invitation(str(invitation.pk))
    invitation.refresh_from_db()
    assert (invitation.token_hash, invitation.sent_at) == (None, None)
    assert f"mail of invitation {invitation.pk}: ConnectionRefusedError" in caplog.text
    assert invitation.email not in caplog.text

    settings.EMAIL_BACKEND = backend
    mailed(invitation)
    tasks.mail_invitation(str(invitation.pk))
    assert len(mail.outbox) == 1


def test_nobody_is_invited_twice_or_who_is_there(
    verified: Any, clinic: Clinic, clinic_admin: User, clinician: User, invitation: Invitation
) -> None:
    browser = verified(clinic_admin)

    again = browser.post(ADD, form(clinic, name="Other")).content.decode()
    member = browser.post(ADD, form(clinic, email=clinician.email.upper())).content.decode()

    assert "This address is invited already." in again
    assert 'value="Other"' in again
    assert "Somebody with this address is on the list of memberships already." in member
    assert Invitation.objects.count() == 1


def test_whether_the_address_has_an_account_elsewhere_is_not_told(
    verified: Any, clinic: Clinic, clinic_admin: User, stranger: User
) -> None:
    browser = verified(clinic_admin)

    answers = [
        browser.post(ADD, form(clinic, email=email), follow=True).content.decode()
        for email in (stranger.email, "nobody@example.org")
    ]

    assert all("was added successfully" in answer for answer in answers)


def test_the_database_keeps_one_open_invitation_for_an_address(invitation: Invitation, other_clinic: Clinic) -> None:
    again = {"email": invitation.email, "name": "x", "role": Role.AUDITOR}
    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.create(clinic=invitation.clinic, **again)
    Invitation.objects.create(clinic=other_clinic, **again)
    end(invitation, State.WITHDRAWN)
    Invitation.objects.create(clinic=invitation.clinic, **again)


@pytest.mark.parametrize(
    "wrong",
    [{"role": "patient"}, {"accepted_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(days=9)}],
)
def test_the_database_refuses_what_cannot_be(invitation: Invitation, wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.filter(pk=invitation.pk).update(**wrong)


def test_two_admins_who_invite_at_the_same_moment_invite_once(
    verified: Any, clinic: Clinic, clinic_admin: User, invitation: Invitation, monkeypatch: Any
) -> None:
    monkeypatch.setattr(services, "check_may_be_invited", lambda clinic, email: None)

    page = verified(clinic_admin).post(ADD, form(clinic), follow=True).content.decode()

    assert "This address is invited already." in page
    assert Invitation.objects.count() == 1


# --- somebody new


def test_somebody_new_chooses_a_password_and_must_set_up_a_second_factor(
    client: Client, invitation: Invitation
) -> None:
    """Row 7 of the checklist: an invitation opens no session, and no page without a second factor."""
    url = mailed(invitation)
    for _ in range(3):
        assert "Your role: Front desk." in client.get(url).content.decode()

    assert client.post(url, {"new": NEW})["Location"] == SIGNIN

    assert "_auth_user_id" not in client.session
    nia = User.objects.get(email="nia@example.org")
    membership = nia.memberships.get()
    assert (nia.name, nia.is_staff, membership.role, membership.clinic) == (
        "Nia New", False, Role.FRONT_DESK, invitation.clinic,
    )  # fmt: skip
    assert client.post(SIGNIN, {"email": nia.email, "password": NEW})["Location"] == SETUP
    assert client.get("/today/")["Location"].startswith(SIGNIN)
    invitation.refresh_from_db()
    assert (invitation.state(), invitation.accepted_by) == (State.ACCEPTED, nia)
    subtypes = set(AuditEvent.objects.filter(user=nia).values_list("subtype", flat=True))
    assert subtypes >= {"user.create", "membership.create", "invitation.accept", "user.signin"}


@pytest.mark.parametrize(
    ("role", "is_staff"),
    [(Role.CLINICIAN, False), (Role.FRONT_DESK, False), (Role.CLINIC_ADMIN, True), (Role.AUDITOR, True)],
)
def test_who_has_work_in_the_admin_may_open_it(
    client: Client, invitation: Invitation, role: Role, is_staff: bool
) -> None:
    Invitation.objects.update(role=role)

    client.post(mailed(invitation), {"new": NEW})

    assert User.objects.get(email=invitation.email).is_staff == is_staff


@pytest.mark.parametrize("bad", ["short", "password1234", "", "nia@example.org", "riverside riverside"])
def test_weak_passwords_are_refused_in_words(client: Client, invitation: Invitation, bad: str) -> None:
    url = mailed(invitation)

    assert "There is a problem" in client.post(url, {"new": bad}).content.decode()
    assert not User.objects.filter(email=invitation.email).exists()


def test_the_page_speaks_the_language_of_the_invitation(client: Client, invitation: Invitation) -> None:
    Invitation.objects.update(language="es")

    page = client.get(mailed(invitation)).content.decode()

    assert "Su función: Recepción." in page


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_accept_at_once_one_does(invitation: Invitation) -> None:
    """Row 11 of the checklist: an invitation works once, however many requests carry it at the same moment."""
    url = mailed(invitation)

    answers = at_once([lambda: Client().post(url, {"new": NEW}).status_code for _ in range(20)])

    assert sorted(answers) == [302] + [410] * 19
    assert Membership.objects.filter(user__email=invitation.email).count() == 1
    assert User.objects.filter(email=invitation.email).count() == 1
    accepted = AuditEvent.objects.filter(subtype="invitation.accept", outcome=AuditEvent.Outcome.SUCCESS)
    assert accepted.count() == 1


# --- somebody with an account


@pytest.fixture
def known(invitation: Invitation, stranger: User) -> Invitation:
    """The invitation, for somebody who works at another clinic."""
    Invitation.objects.update(email=stranger.email, role=Role.CLINIC_ADMIN)
    invitation.refresh_from_db()
    return invitation


def likeness(answer: Any) -> tuple[int, str, str]:
    text = re.sub(
        r'csrfmiddlewaretoken" value="\w+"|\S+@example.org|nonce="\S+"|/invitation/[^/]+/', "", answer.content.decode()
    )
    return answer.status_code, answer.headers.get("Location", ""), text


def test_before_somebody_signs_in_nothing_tells_whether_there_is_an_account(
    invitation: Invitation, other_clinic: Clinic, stranger: User, clinic_admin: User
) -> None:
    """Row 13 of the checklist: not the page, not what it says of a password, and not the page after it."""
    known = Invitation(clinic=invitation.clinic, email=stranger.email, name="Nia New", role=Role.FRONT_DESK)
    services.invite(invitation=known, principal=staff(clinic_admin))

    def walk(url: str) -> list[Any]:
        browser = Client()
        steps = [browser.get(url), browser.post(url, {"new": "short"}), browser.post(url, {"new": NEW})]
        return [likeness(answer) for answer in (*steps, browser.get(SIGNIN))]

    assert walk(mailed(known)) == walk(mailed(invitation))
    stranger.refresh_from_db()
    assert stranger.check_password(factories.PASSWORD)


def test_somebody_with_an_account_signs_in_and_joins(client: Client, known: Invitation, stranger: User) -> None:
    url = mailed(known)
    client.post(url, {"new": NEW})
    assert not stranger.memberships.filter(clinic=known.clinic).exists()
    assert client.post(SIGNIN, {"email": stranger.email, "password": NEW}).status_code == 200
    phone = phone_of(stranger)

    client.post(SIGNIN, {"email": stranger.email, "password": factories.PASSWORD})
    assert not stranger.memberships.filter(clinic=known.clinic).exists()
    assert client.post(CODE, {"code": code_of(phone)})["Location"] == url
    assert "Your role: Clinic admin." in client.get(url).content.decode()
    assert client.post(url)["Location"] == "/"

    assert stranger.memberships.get(clinic=known.clinic).role == Role.CLINIC_ADMIN
    assert client.get("/")["Location"] == "/admin/"  # in the clinic that was joined
    assert client.get(LIST).status_code == 200


def test_i_have_an_account_leads_to_signing_in_and_back(client: Client, known: Invitation, stranger: User) -> None:
    url = mailed(known)

    assert client.post(url, {"do": "sign-in"})["Location"] == SIGNIN
    phone = phone_of(stranger)
    client.post(SIGNIN, {"email": stranger.email, "password": factories.PASSWORD})

    assert client.post(CODE, {"code": code_of(phone)})["Location"] == url


def test_who_belongs_nowhere_any_more_can_be_invited_again(client: Client, known: Invitation, stranger: User) -> None:
    Membership.objects.filter(user=stranger).update(is_active=False)
    url, phone = mailed(known), phone_of(stranger)
    client.post(url, {"do": "sign-in"})

    client.post(SIGNIN, {"email": stranger.email, "password": factories.PASSWORD})
    assert client.post(CODE, {"code": code_of(phone)})["Location"] == url
    client.post(url)

    assert stranger.memberships.filter(is_active=True).get().clinic == known.clinic


def test_a_password_alone_joins_nothing(password_only: Any, known: Invitation, stranger: User) -> None:
    """Row 7 of the checklist: joining needs the second factor."""
    phone_of(stranger)

    answer = password_only(stranger).post(mailed(known))

    assert answer.status_code == 200
    assert stranger.memberships.count() == 1


def test_somebody_else_who_is_signed_in_here_does_not_join(
    verified: Any, invitation: Invitation, clinician: User, stranger: User
) -> None:
    url, browser = mailed(invitation), verified(stranger)

    assert browser.post(url, {"do": "sign-in"})["Location"] == SIGNIN
    assert "_auth_user_id" not in browser.session
    with pytest.raises(services.SomebodyElse):
        services.join(request=request_of(stranger), token=url.rstrip("/").rsplit("/", 1)[-1], user=stranger)
    assert stranger.memberships.count() == 1


def request_of(user: User) -> Any:
    request: Any = RequestFactory().post("/")
    request.user, request.session = user, SessionStore()
    return request


# --- how it ends


@pytest.mark.parametrize("how", [State.EXPIRED, State.ACCEPTED, State.WITHDRAWN])
def test_what_has_ended_says_so_by_the_same_page_as_what_never_was(
    client: Client, invitation: Invitation, how: State
) -> None:
    url = mailed(invitation)
    end(invitation, how)

    pages = [
        likeness(client.get(url)),
        likeness(client.post(url, {"new": NEW})),
        likeness(client.get("/invitation/x/")),
    ]

    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == 410
    assert ENDED in pages[0][2]
    assert not User.objects.filter(email=invitation.email).exists()
    event = AuditEvent.objects.get(subtype="invitation.accept")
    assert (event.outcome, event.detail) == (AuditEvent.Outcome.MINOR_FAILURE, {"reason": str(how)})


def test_sending_again_makes_a_new_link_and_ends_the_old_one(
    client: Client, verified: Any, clinic_admin: User, invitation: Invitation
) -> None:
    old = mailed(invitation)
    end(invitation, State.EXPIRED)

    act(verified(clinic_admin), "resend", invitation)

    assert client.get(old).status_code == 410
    new = mailed(invitation)
    assert new != old
    assert client.get(old).status_code == 410
    assert client.post(new, {"new": NEW})["Location"] == SIGNIN
    assert AuditEvent.objects.get(subtype="invitation.resend").user == clinic_admin


def test_withdrawing_ends_it_and_what_is_answered_stays(
    client: Client, verified: Any, clinic_admin: User, invitation: Invitation
) -> None:
    url, browser = mailed(invitation), verified(clinic_admin)

    act(browser, "withdraw", invitation)
    for action in ("withdraw", "resend"):
        act(browser, action, invitation)

    assert "Left out: what is accepted or withdrawn." in browser.get(LIST).content.decode()
    assert client.get(url).status_code == 410
    assert AuditEvent.objects.filter(subtype="invitation.withdraw").count() == 1
    assert not AuditEvent.objects.filter(subtype="invitation.resend").exists()


@pytest.mark.parametrize("loss", ["shut out", "other role", "disabled"])
def test_what_somebody_sent_who_may_invite_no_more_opens_nothing_until_another_sends_it(
    clinic: Clinic, clinic_admin: User, invitation: Invitation, loss: str
) -> None:
    token = token_of(invitation)
    membership = Membership.objects.filter(user=clinic_admin, clinic=clinic)
    if loss == "shut out":
        membership.update(is_active=False)
    elif loss == "other role":
        membership.update(role=Role.FRONT_DESK)
    else:
        User.objects.filter(pk=clinic_admin.pk).update(is_active=False)

    with pytest.raises(services.Ended):
        services.accept(request=request_of(clinic_admin), token=token, password=NEW)
    assert not User.objects.filter(email=invitation.email).exists()

    other = factories.make_member(clinic, Role.CLINIC_ADMIN)
    services.resend(invitation=invitation, principal=staff(other))
    assert services.accept(request=request_of(other), token=token_of(invitation), password=NEW)


def test_the_list_says_and_filters_by_state(verified: Any, clinic: Clinic, clinic_admin: User) -> None:
    browser = verified(clinic_admin)
    for state in State:
        made = Invitation.objects.create(clinic=clinic, email=f"{state}@example.org", name="x", role=Role.AUDITOR)
        if state != State.OPEN:
            end(made, state)

    for state in State:
        page = browser.get(LIST, {"state": state}).content.decode()
        assert re.findall(r"(\w+)@example\.org</a>", page) == [state]
        assert re.findall(r'class="field-state[^>]*>([^<]*)<', page) == [state.label]


# --- strangers


def test_another_clinics_admin_finds_nothing(verified: Any, other_clinic: Clinic, invitation: Invitation) -> None:
    other = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)
    browser = verified(other)
    url = mailed(invitation)

    assert invitation.email not in browser.get(LIST).content.decode()
    for action in ("withdraw", "resend"):
        act(browser, action, invitation)
        with pytest.raises(services.Http404):
            getattr(services, action)(invitation=invitation, principal=staff(other))
    assert browser.get(f"{LIST}{invitation.pk}/change/").status_code in {302, 404}
    assert browser.post(ADD, form(invitation.clinic, email="x@example.org")).status_code == 200
    assert Client().get(url).status_code == 200
    assert Invitation.objects.count() == 1


def test_the_front_desk_may_not_invite(verified: Any, clinic: Clinic, front_desk: User, invitation: Invitation) -> None:
    User.objects.filter(pk=front_desk.pk).update(is_staff=True)
    browser = verified(front_desk)

    assert browser.get(LIST).status_code == 403
    assert browser.post(ADD, form(clinic)).status_code == 403
    new = Invitation(clinic=clinic, email="x@example.org", name="x", role=Role.CLINIC_ADMIN)
    with pytest.raises(services.Http404):
        services.invite(invitation=new, principal=staff(front_desk))


def test_there_is_no_other_way_to_make_a_member(verified: Any, clinic_admin: User, superuser: User) -> None:
    for user in (clinic_admin, superuser):
        for model in ("user", "membership"):
            assert verified(user).get(reverse(f"admin:accounts_{model}_add")).status_code == 403


@pytest.fixture
def superuser(db: Any) -> User:
    return factories.make_user(is_staff=True, is_superuser=True)


def test_a_superuser_invites_to_any_clinic(verified: Any, clinic: Clinic, superuser: User) -> None:
    verified(superuser).post(ADD, form(clinic))

    assert AuditEvent.objects.get(subtype="invitation.send").user == superuser


def test_the_database_does_not_hold_the_token(invitation: Invitation) -> None:
    token = mailed(invitation).rstrip("/").rsplit("/", 1)[-1]

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_invitation")
        assert token not in str(cursor.fetchall())
