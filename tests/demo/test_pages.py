"""The demo's pages: mails as a mail program shows them, people with codes that work."""

import re

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from accounts.models import TOTPDevice
from tests.reminders.conftest import announce
from visits.demo import cast, services
from visits.demo.inbox import messages
from visits.reminders.channels.sms import FileBackend
from visits.reminders.services import send_due


@pytest.fixture
def mail(visit):
    announce(visit, "booked")
    send_due()
    [mail] = messages()
    return mail


def test_the_pages_do_not_exist_outside_the_demo(client: Client, settings):
    settings.ROOT_URLCONF = "telehealth.urls"

    for path in ("/dev/mail/", "/dev/people/"):
        assert client.get(path).status_code == 404


@pytest.mark.django_db
def test_an_empty_inbox_says_so(client: Client):
    assert "No mail yet" in client.get(reverse("demo:mail")).content.decode()


@pytest.mark.django_db
def test_a_mail_is_listed_and_shown(mail, client: Client):
    listed = client.get(reverse("demo:mail")).content.decode()
    shown = client.get(reverse("demo:message", args=[mail.pk])).content.decode()

    for page in (listed, shown):
        assert "rosa@example.org" in page
        assert "Your video visit is booked" in page
    assert "/v/" in shown
    assert reverse("demo:message-html", args=[mail.pk]) in shown


@pytest.mark.django_db
def test_only_the_mail_itself_may_have_inline_styles_and_a_frame(mail, client: Client):
    shown = client.get(reverse("demo:message", args=[mail.pk]))
    html = client.get(reverse("demo:message-html", args=[mail.pk]))

    assert "frame-src 'self'" in shown["Content-Security-Policy"]
    assert "unsafe-inline" not in shown["Content-Security-Policy"]
    assert shown["X-Frame-Options"] == "DENY"
    policy = html["Content-Security-Policy"]
    assert "style-src 'unsafe-inline'" in policy
    assert "script-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert html["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.django_db
def test_the_invitation_can_be_downloaded(mail, client: Client):
    response = client.get(reverse("demo:attachment", args=[mail.pk, 0]))

    assert response["Content-Type"] == "text/calendar; method=REQUEST"
    assert response["Content-Disposition"] == 'attachment; filename="visit.ics"'
    assert response.content.startswith(b"BEGIN:VCALENDAR\r\n")


@pytest.mark.django_db
@pytest.mark.parametrize("pk", ["unknown-0", "..-0", "x"])
def test_an_unknown_mail_is_not_found(client: Client, pk):
    for path in (f"/dev/mail/{pk}/", f"/dev/mail/{pk}/html/", f"/dev/mail/{pk}/attachments/0/"):
        assert client.get(path).status_code == 404


@pytest.mark.django_db
def test_a_plain_mail_without_html_is_shown_too(client: Client):
    EmailMessage("Reset", "Open http://localhost/x/", to=["lee@example.org"]).send()
    [mail] = messages()

    page = client.get(reverse("demo:message", args=[mail.pk])).content.decode()

    assert "<iframe" not in page
    assert 'href="http://localhost/x/"' in page


@pytest.mark.django_db
def test_people_are_shown_with_codes_that_their_phones_would_show(client: Client):
    services.seed()

    page = client.get(reverse("demo:people")).content.decode()

    assert cast.PASSWORD in page
    assert "/v/" in page
    for person in cast.RIVERSIDE_STAFF:
        assert person.email in page
    assert "halima.yusuf@patients.example" in page
    [shown] = [one for one in services.people() if one.email == cast.CLINICIAN]
    assert re.fullmatch(r"\d{6}", shown.code)
    assert TOTPDevice.objects.get(user__email=cast.CLINICIAN).verify_token(shown.code)


@pytest.mark.django_db
def test_one_clinician_has_no_phone_yet(client: Client):
    services.seed()

    [new] = [one for one in services.people() if one.email == "new.clinician@riverside.example"]

    assert new.code == ""
    assert "none yet" in client.get(reverse("demo:codes")).content.decode()


@pytest.mark.django_db
def test_another_visit_is_booked_by_a_button(client: Client):
    services.seed()

    assert client.get(reverse("demo:new-visit")).status_code == 405
    page = client.post(reverse("demo:new-visit"))

    assert page.status_code == 200
    assert "The new visit" in page.content.decode()
    assert "/v/" in page.content.decode()


@pytest.mark.django_db
def test_a_text_message_is_in_the_mailbox_too(client: Client):
    FileBackend().send(to="+15550100177", text="Riverside: Your visit is booked.", key="1")
    [text] = messages()

    assert "Riverside: Your visit is booked." in client.get("/dev/mail/list/").content.decode()
    page = client.get(f"/dev/mail/{text.pk}/").content.decode()
    assert "Text message" in page
    assert "+15550100177" in page
