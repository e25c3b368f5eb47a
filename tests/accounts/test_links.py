"""Visit links: issued, landed on, redeemed, refused, revoked."""

import threading
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.links import services
from accounts.models import AccessLink, AuditEvent, Clinic, Patient, User
from accounts.principal import link_principal, staff_principal
from accounts.sessions.store import SessionStore
from tests.conftest import staff

RIGHT = "3/14/1979"
WRONG = "3/15/1979"


def issue(patient: Patient, **fields: Any) -> tuple[AccessLink, str]:
    defaults: dict[str, Any] = {
        "kind": AccessLink.Kind.PATIENT,
        "clinic": patient.clinic,
        "resource_id": uuid.uuid4(),
        "expires_at": timezone.now() + timedelta(days=2),
        "patient": patient,
    }
    link, url = services.issue(**defaults | fields)
    return link, url.removeprefix(settings.BASE_URL)


def issue_guest(clinic: Clinic, **fields: Any) -> tuple[AccessLink, str]:
    link, url = services.issue(
        kind=AccessLink.Kind.GUEST,
        clinic=clinic,
        resource_id=uuid.uuid4(),
        expires_at=timezone.now() + timedelta(days=2),
        name="Inés Prado",
        relationship="interpreter",
        **fields,
    )
    return link, url.removeprefix(settings.BASE_URL)


def opened(client: Client, link: AccessLink) -> bool:
    return link_principal(client.session, link.resource_id) is not None


def test_token_is_random_and_only_its_keyed_hash_is_stored(patient: Patient) -> None:
    link, url = issue(patient)
    token = url.split("/")[2]

    assert len(token) >= 43  # 32 bytes in base64
    assert token not in str(AccessLink.objects.values().get())
    assert link.token_hash == services.hash_token(token)


def test_url_is_absolute(patient: Patient) -> None:
    _, url = services.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=patient.clinic,
        resource_id=uuid.uuid4(),
        expires_at=timezone.now() + timedelta(hours=1),
        patient=patient,
    )

    assert url.startswith(settings.BASE_URL + "/v/")


def test_right_birth_date_opens_the_visit(client: Client, patient: Patient) -> None:
    link, url = issue(patient)

    answer = client.post(url, {"birth_date": RIGHT})

    assert answer.status_code == 302
    assert answer["Location"] == reverse(settings.LINK_DESTINATIONS["visit"], kwargs={"pk": link.resource_id})
    assert opened(client, link)
    event = AuditEvent.objects.get(subtype="link.redeem")
    assert (event.link, event.patient, event.outcome) == (link, patient, AuditEvent.Outcome.SUCCESS)
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_uses_nothing_up(client: Client, patient: Patient, method: str) -> None:
    link, url = issue(patient)
    events = AuditEvent.objects.count()

    for _ in range(5):
        assert getattr(client, method)(url).status_code == 200

    link.refresh_from_db()
    assert link.first_used_at is None
    assert AuditEvent.objects.count() == events
    assert settings.SESSION_COOKIE_NAME not in client.cookies
    assert not opened(client, link)


@pytest.mark.parametrize("method", ["put", "delete", "options", "patch"])
def test_other_methods_are_refused(client: Client, patient: Patient, method: str) -> None:
    _, url = issue(patient)

    assert getattr(client, method)(url).status_code == 405


def test_a_link_works_on_several_devices(patient: Patient) -> None:
    link, url = issue(patient)

    for device in (Client(), Client(), Client()):
        device.post(url, {"birth_date": RIGHT})
        assert opened(device, link)


def test_who_redeemed_it_here_is_led_on(client: Client, patient: Patient) -> None:
    link, url = issue(patient)
    _, newer = issue(patient, resource_id=link.resource_id)
    client.post(url, {"birth_date": RIGHT})

    assert client.get(url).status_code == 302
    assert client.get(newer).status_code == 302


def test_redeeming_takes_a_new_session_key(client: Client, patient: Patient) -> None:
    _, first = issue(patient)
    _, second = issue(patient)
    client.post(first, {"birth_date": RIGHT})
    key = client.session.session_key

    client.post(second, {"birth_date": RIGHT})

    assert client.session.session_key != key
    assert not SessionStore().exists(str(key))


def test_wrong_birth_date_says_what_was_read_and_how_many_tries_are_left(client: Client, patient: Patient) -> None:
    link, url = issue(patient)

    answer = client.post(url, {"birth_date": WRONG})

    assert answer.status_code == 200
    assert "That date does not match. Check it and try again. 2 tries left." in answer.content.decode()
    assert "March 15, 1979" in answer.content.decode()
    assert not opened(client, link)


def test_three_wrong_birth_dates_lock_the_link(client: Client, patient: Patient) -> None:
    link, url = issue(patient)

    answers = [client.post(url, {"birth_date": WRONG}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert patient.clinic.phone in answers[2].content.decode()
    assert client.post(url, {"birth_date": RIGHT}).status_code == 403
    assert client.get(url).status_code == 403
    assert not opened(client, link)
    events = AuditEvent.objects.filter(subtype="link.redeem").order_by("id")
    assert [event.detail for event in events] == [
        {"wrong": 1, "locked": False},
        {"wrong": 2, "locked": False},
        {"wrong": 3, "locked": True},
        {"reason": "locked"},
    ]
    assert {event.outcome for event in events} == {AuditEvent.Outcome.MINOR_FAILURE}


def test_what_is_no_date_is_not_counted(client: Client, patient: Patient) -> None:
    link, url = issue(patient)

    for text in ("", "yes", "13/45/1979", "3/14/2979", "\x00", "9" * 39):
        assert client.post(url, {"birth_date": text}).status_code == 200

    link.refresh_from_db()
    assert link.failures == 0


def test_guests_just_continue(client: Client, clinic: Clinic) -> None:
    link, url = issue_guest(clinic)

    page = client.get(url).content.decode()
    answer = client.post(url)

    assert "Inés Prado" in page
    assert "birth" not in page
    assert answer.status_code == 302
    principal = link_principal(client.session, link.resource_id)
    assert principal is not None
    assert principal.role == "guest"


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_link(client: Client, clinic: Clinic, method: str) -> None:
    answer = getattr(client, method)("/v/" + "x" * 43 + "/")

    assert answer.status_code == 404
    assert "Check that you copied all of it" in answer.content.decode()
    assert clinic.phone in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_expired_link(client: Client, patient: Patient, method: str) -> None:
    link, url = issue(patient, expires_at=timezone.now() - timedelta(seconds=1))

    answer = getattr(client, method)(url, {"birth_date": RIGHT})

    assert answer.status_code == 410
    assert "This link has ended" in answer.content.decode()
    assert not opened(client, link)


def test_revoked_link_opens_nothing_any_more(client: Client, patient: Patient, front_desk: User) -> None:
    link, url = issue(patient)
    client.post(url, {"birth_date": RIGHT})

    assert services.revoke(principal=staff(front_desk), link=link)

    assert not opened(client, link)
    assert client.get(url).status_code == 410
    assert Client().post(url, {"birth_date": RIGHT}).status_code == 410
    event = AuditEvent.objects.get(subtype="link.revoke")
    assert (event.user, event.entity_id, event.patient) == (front_desk, str(link.pk), patient)


def test_revoke_all_ends_the_links_of_one_visit_and_can_be_repeated(patient: Patient) -> None:
    link, _ = issue(patient)
    issue(patient, resource_id=link.resource_id)
    other, _ = issue(patient)

    assert services.revoke_all(resource_id=link.resource_id) == 2
    assert services.revoke_all(resource_id=link.resource_id) == 0
    assert AccessLink.objects.get(revoked_at=None) == other


def test_a_link_opens_one_visit_only(client: Client, patient: Patient) -> None:
    _, url = issue(patient)
    other, _ = issue(patient)

    client.post(url, {"birth_date": RIGHT})

    assert not opened(client, other)


def test_a_link_grows_no_staff_rights(client: Client, patient: Patient, password_only: Any, clinician: User) -> None:
    _, url = issue(patient)
    half_in = password_only(clinician)

    for browser in (client, half_in):
        browser.post(url, {"birth_date": RIGHT})
        answer = browser.get(reverse("accounts:recovery-codes"))
        assert answer["Location"].startswith(reverse("accounts:signin"))


def test_staff_keep_their_rights_beside_a_link_and_have_none_of_its(
    verified: Any, clinician: User, patient: Patient
) -> None:
    link, url = issue(patient)
    browser = verified(clinician)
    assert not opened(browser, link)

    browser.post(url, {"birth_date": RIGHT})

    assert opened(browser, link)
    assert staff_principal(clinician, browser.session) is not None


def test_links_do_not_survive_signing_out(verified: Any, clinician: User, patient: Patient) -> None:
    link, url = issue(patient)
    browser = verified(clinician)
    browser.post(url, {"birth_date": RIGHT})

    browser.post(reverse("accounts:signout"))

    assert not opened(browser, link)


def test_redeeming_needs_the_csrf_token(patient: Patient) -> None:
    link, url = issue(patient)
    browser = Client(enforce_csrf_checks=True)

    assert browser.post(url, {"birth_date": RIGHT}).status_code == 403

    link.refresh_from_db()
    assert link.first_used_at is None


def test_page_is_in_the_patients_language_until_they_choose(client: Client, patient: Patient) -> None:
    patient.language = "es"
    patient.save()
    link, url = issue(patient)

    assert '<html lang="es"' in client.get(url).content.decode()
    client.post(url, {"birth_date": "14/3/1979"})
    assert opened(client, link)

    other = Client()
    other.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    assert '<html lang="en"' in other.get(url).content.decode()


def test_many_unknown_links_from_one_address_are_refused_but_never_a_good_one(client: Client, patient: Patient) -> None:
    _, url = issue(patient)
    address = {"REMOTE_ADDR": f"10.1.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}"}

    answers = [client.get(f"/v/{n}/", **address).status_code for n in range(21)]

    assert answers == [404] * 20 + [429]
    assert client.get(url, **address).status_code == 200
    assert client.get("/v/x/", REMOTE_ADDR="10.9.9.9").status_code == 404


def test_no_token_is_logged(client: Client, patient: Patient, caplog: pytest.LogCaptureFixture) -> None:
    from telehealth.logs import HidingFormatter

    _, url = issue(patient, expires_at=timezone.now())
    client.get(url)
    client.get("/v/some-token/")

    written = [HidingFormatter().format(record) for record in caplog.records]
    assert len(written) == 2
    assert "/v/***" in written[0]
    assert url.split("/v/")[1][:8] not in "".join(written)
    assert "some-token" not in "".join(written)


def test_no_token_is_named_to_what_its_page_loads(client: Client, patient: Patient) -> None:
    _, url = issue(patient)

    assert client.get(url)["Referrer-Policy"] == "strict-origin"
    assert client.get(f"/password/{patient.pk}/some-token/")["Referrer-Policy"] == "strict-origin"
    assert client.get("/m/some-token/")["Referrer-Policy"] == "strict-origin"
    assert client.get("/signin/")["Referrer-Policy"] == "same-origin"


def test_page_without_a_link_says_what_to_do(client: Client, clinic: Clinic) -> None:
    answer = client.get(reverse("accounts:link-needed"))

    assert answer.status_code == 200
    assert "Open the link from our message" in answer.content.decode()
    assert clinic.phone in answer.content.decode()


def at_once(count: int, work: Any) -> list[Any]:
    """Run ``work(n)`` in ``count`` threads that start together, each with its own connection."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def run(n: int) -> None:
        barrier.wait()
        try:
            results.append(work(n))
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_have_three_tries_together(patient: Patient) -> None:
    link, url = issue(patient)

    answers = at_once(12, lambda n: Client().post(url, {"birth_date": f"1/{n + 1}/1980"}).status_code)

    link.refresh_from_db()
    assert link.failures == 3
    assert sorted(answers) == [200, 200] + [403] * 10
    assert AuditEvent.objects.filter(subtype="link.redeem", detail__has_key="wrong").count() == 3


@pytest.mark.django_db(transaction=True)
def test_parallel_right_ones_all_come_in(patient: Patient) -> None:
    _, url = issue(patient)

    answers = at_once(6, lambda n: Client().post(url, {"birth_date": RIGHT}).status_code)

    assert answers == [302] * 6


@pytest.mark.django_db(transaction=True)
def test_revoking_beats_a_redemption_that_comes_after(patient: Patient) -> None:
    link, _ = issue(patient)
    services.revoke(principal=None, link=link)
    request = RequestFactory().post("/")
    request.session = SessionStore()

    with pytest.raises(services.LinkClosed) as closed:
        services.redeem(request=request, link=link, birth_date=date(1979, 3, 14))

    assert closed.value.state == services.State.REVOKED
