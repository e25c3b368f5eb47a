"""What messages say, to read before anybody gets one."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Clinic, Practitioner, User
from visits.reminders.framing import framed
from visits.reminders.models import Communication
from visits.reminders.previews import previews

Kind = Communication.Kind
PAGE = reverse("admin:reminders_communication_preview")
MAIL = reverse("admin:reminders_communication_preview_mail")


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_kind_of_message_can_be_read_in_each_language(practitioner: Practitioner, language: str) -> None:
    found = previews(practitioner.clinic, language, now=timezone.now())

    assert len(found) == len(Communication.Kind)
    assert all(one.subject and one.mail for one in found)
    assert all(0 < one.segments <= 3 for one in found if one.sms)
    assert any(one.sms for one in found)
    with translation.override(language):
        before = _("Before:")
    assert [one.kind for one in found if before in one.mail] == [Kind.RESCHEDULE.label]
    assert not Communication.objects.exists()


def test_subjects_name_the_day_of_a_visit_that_is_not_today_or_tomorrow(practitioner: Practitioner) -> None:
    found = previews(practitioner.clinic, "en", now=datetime(2026, 11, 21, 12, tzinfo=UTC))
    subjects = {one.kind: one.subject for one in found}

    assert subjects[Kind.REMINDER.label] == "Your video visit is soon, Tue, Nov 24, 10:30 am CT"
    assert subjects[Kind.FORM_MISSING.label] == "A few answers are still missing, Tue, Nov 24, 10:30 am CT"


def test_a_clinic_without_clinicians_reads_all_but_offers(clinic: Clinic) -> None:
    assert len(previews(clinic, "en", now=timezone.now())) == len(Communication.Kind) - 1


def test_the_page_is_in_the_language_that_was_chosen_and_on_the_index(
    verified: Any, clinic_admin: User, practitioner: Practitioner
) -> None:
    browser = verified(clinic_admin)

    english, spanish = (browser.get(PAGE, {"language": one}).content.decode() for one in ("en", "es"))

    assert PAGE in browser.get("/admin/").content.decode()
    assert "Your video visit" in english
    assert "Su visita por video" in spanish
    assert browser.get(PAGE, {"language": "xx"}).status_code == 404


def test_the_page_is_the_clinic_admins_alone(
    verified: Any, auditor: User, clinician: User, password_only: Any, clinic_admin: User
) -> None:
    assert verified(auditor).get(PAGE).status_code == 403
    assert verified(clinician).get(PAGE).status_code == 403
    assert password_only(clinic_admin).get(PAGE).status_code == 302


def test_the_mail_is_shown_as_it_looks_in_a_frame_that_allows_nothing(
    verified: Any, clinic_admin: User, practitioner: Practitioner
) -> None:
    """Its styles by their hash, no script, no other host, and no way out."""
    browser = verified(clinic_admin)
    page = browser.get(PAGE, {"language": "es"})
    assert page.content.decode().count("<iframe") == page.content.decode().count(" sandbox></iframe>") == len(Kind)
    assert "frame-src 'self'" in page["Content-Security-Policy"]

    for kind in Kind:
        mail = browser.get(MAIL, {"language": "es", "kind": str(kind)})
        html, policy = mail.content.decode(), set(mail["Content-Security-Policy"].split("; "))
        sheet = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        digest = b64encode(sha256(sheet[0].encode()).digest()).decode()
        assert len(sheet) == 1
        assert ' style="' not in html
        assert policy >= {
            "default-src 'none'",
            "script-src 'none'",
            f"style-src 'sha256-{digest}'",
            "frame-ancestors 'self'",
            "sandbox",
        }
        assert mail["X-Frame-Options"] == "SAMEORIGIN"
        assert not re.search(r"""(?:src|background)=["']?http|@import|url\(""", html)
    assert browser.get(MAIL, {"kind": "nothing"}).status_code == 404
    assert browser.get(MAIL, {"language": "xx"}).status_code == 404
    assert browser.get(MAIL).status_code == 200


def test_every_style_of_the_mail_is_in_the_sheet(practitioner: Practitioner) -> None:
    html = previews(practitioner.clinic, "en", now=timezone.now())[0].html
    shown = framed(html).content.decode()
    rules = dict(re.findall(r'\[data-style="(\d+)"\]\{([^}]*)\}', shown))

    assert [rules[name] for name in re.findall(r' data-style="(\d+)"', shown)] == re.findall(r' style="([^"]*)"', html)


def test_the_mail_is_the_clinic_admins_alone(
    verified: Any, auditor: User, clinician: User, password_only: Any, clinic_admin: User
) -> None:
    assert verified(auditor).get(MAIL).status_code == 403
    assert verified(clinician).get(MAIL).status_code == 403
    assert password_only(clinic_admin).get(MAIL).status_code == 302
