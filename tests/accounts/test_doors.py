"""Doors one by one: the admin's, htmx, second factors of others, callers' addresses, sockets from elsewhere."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.address import caller_network, client_address
from accounts.models import AuditEvent, User
from tests.live.sockets import Socket


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
