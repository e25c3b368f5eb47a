"""Every address of the project, tried by who has not given a second factor."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, SlugConverter, UUIDConverter

from accounts import doors
from accounts.audit.address import caller_network, client_address
from accounts.models import AuditEvent, Clinic, User
from tests.live.sockets import Socket

# Pages that anybody may read. The rest must not answer 200 to who is not in.
PUBLIC = {
    "accounts:signin",
    "accounts:link-needed",
    "accounts:passkey-options",  # a challenge, the same for everybody
    "accounts:password-forgotten",
    "/healthz/",
    "/healthz/audit/",
    "room:left",  # the end of a visit: names nobody, and the clinic only to who had a link
}
# Pages that who gave the password alone may read besides.
PASSWORD_ONLY = {"accounts:mfa-setup", "accounts:passkey-enrol-options"}
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def every_pattern(
    patterns: list[URLPattern | URLResolver], path: str = "/", namespace: str = ""
) -> Iterator[tuple[str, str, Any]]:
    """(name or path, a path that matches, view) of each pattern below."""
    for pattern in patterns:
        here = path + example_of(pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from every_pattern(pattern.url_patterns, here, inner)
        else:
            yield (f"{namespace}{pattern.name}" if pattern.name else here), here, pattern.callback


def example_of(pattern: URLPattern | URLResolver) -> str:
    """Text that the route matches, with ids of things that do not exist."""
    values = {IntConverter: "1", UUIDConverter: str(uuid.UUID(int=7)), SlugConverter: "some"}
    text = str(pattern.pattern)
    for name, converter in pattern.pattern.converters.items():
        text = re.sub(rf"<(\w+:)?{name}>", values.get(type(converter), "some"), text)
    # The admin's few regular expressions: app labels and "anything".
    text = re.sub(r"\(\?P<app_label>([^)|]+)[^)]*\)", r"\1", text)
    return re.sub(r"\(\?P<url>\.\*\)", "anything", text).replace("^", "").replace("$", "")


ALL = sorted({(name, path) for name, path, _ in every_pattern(get_resolver().url_patterns)})


def test_the_walk_finds_the_project() -> None:
    names = {name for name, _ in ALL}

    assert {"home", "accounts:signin", "admin:index", "admin:accounts_patient_changelist", "set_language"} <= names
    assert not [path for _, path in ALL if re.search(r"[<>()\\?]", path)]


@pytest.fixture
def plain(settings: Any) -> None:
    """Refusals without pages, to be quick; and counters that begin anew."""
    cache.clear()


@pytest.mark.usefixtures("plain")
def test_nothing_opens_to_strangers(clinic: Clinic) -> None:
    opened = {(name, method) for name, path in ALL for method in METHODS if answers_200(Client(), method, path)}

    assert {name for name, _ in opened} <= PUBLIC | {"set_language"}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("who", ["clinician", "superuser"])
def test_nothing_opens_to_a_password_alone(password_only: Any, clinician: User, who: str) -> None:
    """Row 7 of the checklist: no page opens to a session with a password only."""
    if who == "superuser":
        User.objects.update(is_staff=True, is_superuser=True)
    opened = set()
    for name, path in ALL:
        for method in METHODS:
            if answers_200(password_only(clinician), method, path):
                opened.add(name)

    assert opened <= PUBLIC | PASSWORD_ONLY | {"set_language"}


def answers_200(client: Client, method: str, path: str) -> bool:
    return bool(getattr(client, method)(path).status_code < 300)


def test_marked_public_is_what_we_know() -> None:
    """A new public view is a decision: write it down here."""
    public = {name for name, _, view in every_pattern(get_resolver().url_patterns) if is_public(view)}

    assert {name for name in public if not name.startswith("demo:")} == {
        "home",
        "set_language",
        "/healthz/",
        "/metrics/",  # to who shows a token
        "admin:login",
        "accounts:signin",
        "accounts:signout",
        "accounts:mfa-code",
        "accounts:mfa-setup",
        "accounts:passkey-options",
        "accounts:passkey-enrol-options",  # to who enrols a first factor, or gave one a moment ago
        "accounts:passkey-signin",
        "accounts:password-forgotten",
        "accounts:password-choose",
        "accounts:no-clinic",
        "accounts:link",
        "accounts:link-needed",
        "calendar:feed-file",  # to who has the secret address
        "room:left",
        "/healthz/audit/",
        "/healthz/messages/",
        "reminders:answer",  # to who has the signed token of a message
        "reminders:stop",
        "reminders:sms",  # to who shows the provider's signature
        "reminders:sms-status",
        "online:choose",  # where the clinic lets patients book for themselves
        "online:now",
        "online:person",  # to the browser whose booking it is
        "online:code",
        "waitlist:offer",  # to who has the signed address
    }


def is_public(view: Any) -> bool:
    return getattr(view, doors.MARK, None) == doors.PUBLIC


@pytest.mark.parametrize("method", ["get", "post"])
def test_admin_login_is_no_second_way_in(client: Client, clinic_admin: User, method: str) -> None:
    data = {"username": clinic_admin.email, "password": "correct horse battery staple"}

    answer = getattr(client, method)("/admin/login/", data)

    assert answer["Location"].startswith(reverse("accounts:signin"))
    assert "_auth_user_id" not in client.session


def test_admin_is_for_those_marked_for_it(verified: Any, clinician: User, clinic_admin: User, stranger: User) -> None:
    assert verified(clinic_admin).get("/admin/").status_code == 200
    assert verified(clinician).get("/admin/").status_code == 403
    clinic_admin.is_staff = False
    clinic_admin.save()
    assert verified(clinic_admin).get("/admin/").status_code == 403


def test_what_a_role_may_not_do_is_on_the_trail(verified: Any, clinician: User, front_desk: User) -> None:
    assert verified(clinician).get("/admin/").status_code == 403
    assert verified(front_desk).post(reverse("room:end", args=[uuid.UUID(int=7)])).status_code == 403

    refused = AuditEvent.objects.filter(subtype="access.refuse", outcome="4")
    assert [(event.user, event.role, event.detail["action"]) for event in refused.order_by("id")] == [
        (clinician, "clinician", "admin"),
        (front_desk, "front_desk", "visit.end"),
    ]


def test_htmx_is_told_to_sign_in(client: Client, db: Any) -> None:
    answer = client.get(reverse("accounts:password"), headers={"HX-Request": "true"})

    assert answer.status_code == 403
    assert answer["HX-Redirect"] == reverse("accounts:signin")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "127.0.0.1"),
        (0, "9.9.9.9", "127.0.0.1"),
        (1, "9.9.9.9", "9.9.9.9"),
        (1, "6.6.6.6, 9.9.9.9", "9.9.9.9"),  # the caller wrote the first one
        (2, "6.6.6.6, 9.9.9.9, 10.0.0.1", "9.9.9.9"),
        (2, "9.9.9.9", "127.0.0.1"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "nonsense", None),
    ],
)
def test_whose_address_counts(rf: Any, settings: Any, proxies: int, forwarded: str, address: str | None) -> None:
    settings.PROXY_COUNT = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}

    assert client_address(rf.get("/", **headers)) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("nonsense", None),
    ],
)
def test_who_counts_as_one_caller(rf: Any, address: str, network: str | None) -> None:
    assert caller_network(rf.get("/", REMOTE_ADDR=address)) == network


def test_a_device_of_somebody_else_is_no_second_factor(password_only: Any, clinician: User, front_desk: User) -> None:
    from django_otp import DEVICE_ID_SESSION_KEY

    from accounts.models import TOTPDevice

    browser = password_only(clinician)
    session = browser.session
    session[DEVICE_ID_SESSION_KEY] = TOTPDevice.objects.create(user=front_desk, confirmed=True).persistent_id
    session.save()

    assert browser.get(reverse("accounts:password")).status_code == 302


def test_an_unconfirmed_device_is_no_second_factor(password_only: Any, clinician: User) -> None:
    from django_otp import DEVICE_ID_SESSION_KEY

    from accounts.models import TOTPDevice

    browser = password_only(clinician)
    session = browser.session
    session[DEVICE_ID_SESSION_KEY] = TOTPDevice.objects.create(user=clinician, confirmed=False).persistent_id
    session.save()

    assert browser.get(reverse("accounts:password")).status_code == 302


def test_health(client: Client, db: Any, settings: Any) -> None:
    assert client.get("/healthz/").content == b"ok"

    settings.REDIS_URL = "unix:///nowhere.sock"
    answer = client.get("/healthz/")
    assert (answer.status_code, answer.content) == (503, b"redis")


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_error_pages_need_no_context(status: int) -> None:
    from django.template.loader import get_template

    page = get_template(f"{status}.html").render()

    assert "<h1>" in page
    assert "style=" not in page
    assert "<script" not in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/ws/nothing/", "/", "/ws/board", "/ws/my/no-id/waiting/"])
async def test_a_socket_that_does_not_exist_is_refused_quietly(path: str) -> None:
    async with Socket(Client(), path) as socket:
        assert not socket.accepted


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1"]
)
@pytest.mark.django_db(transaction=True)
async def test_a_socket_is_not_opened_from_a_foreign_page(origin: str) -> None:
    async with Socket(Client(), "/ws/board/", origin=origin) as socket:
        assert not socket.accepted
