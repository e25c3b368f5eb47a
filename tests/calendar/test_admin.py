"""The admin of calendar feeds: an admin ends what somebody else's program reads, of the own clinic alone."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from tests import factories
from tests.conftest import staff
from visits.calendar import feed
from visits.calendar.models import CalendarFeed

pytestmark = pytest.mark.django_db
LIST = "admin:calendar_calendarfeed_changelist"


@pytest.fixture
def patients(patient: Any, clinic: Any) -> CalendarFeed:
    return CalendarFeed.objects.create(patient=patient, clinic=clinic, token_hash="a patient's")


def end(browser: Client, one: CalendarFeed, **more: str) -> str:
    """Choose the feed's row and the action to end it; return the page that follows."""
    chosen = {"action": "end", "_selected_action": [str(one.pk)], **more}
    return browser.post(reverse(LIST), chosen, follow=True).content.decode()


def test_an_admin_ends_a_patients_feed_once_the_page_that_asks_is_answered(
    verified: Any, clinic_admin: User, patients: CalendarFeed
) -> None:
    browser = verified(clinic_admin)

    assert patients.patient
    assert patients.patient.full_name in end(browser, patients)
    assert CalendarFeed.objects.filter(revoked_at=None).exists()
    assert "1 calendar address ended." in end(browser, patients, confirmed="yes")

    assert not CalendarFeed.objects.filter(revoked_at=None).exists()
    event = AuditEvent.objects.get(subtype="feed.revoke")
    assert (event.user, event.patient, event.entity_id) == (clinic_admin, patients.patient, str(patients.pk))
    assert "0 calendar addresses ended." in end(browser, patients, confirmed="yes")


def test_a_clinicians_feed_that_was_ended_shows_nothing_any_more(
    verified: Any, client: Client, clinic_admin: User, clinician: User, hours: Any
) -> None:
    address = feed.renew(principal=staff(clinician)).removeprefix("http://localhost")
    assert client.get(address).status_code == 200

    end(verified(clinic_admin), CalendarFeed.objects.get(), confirmed="yes")

    assert client.get(address).status_code == 404


def test_the_page_of_a_feed_tells_nothing_of_its_address_and_changes_nothing(
    verified: Any, clinic_admin: User, patients: CalendarFeed
) -> None:
    browser = verified(clinic_admin)
    page = reverse("admin:calendar_calendarfeed_change", args=[patients.pk])

    assert patients.token_hash not in browser.get(page).content.decode()
    assert browser.post(page, {"revoked_at": ""}).status_code == 403
    assert browser.get(reverse("admin:calendar_calendarfeed_add")).status_code == 403


def test_another_clinics_feed_is_not_there(verified: Any, clinic_admin: User, other_clinic: Any) -> None:
    theirs = CalendarFeed.objects.create(
        patient=factories.make_patient(other_clinic), clinic=other_clinic, token_hash="theirs"
    )
    browser = verified(clinic_admin)

    assert str(theirs.pk) not in browser.get(reverse(LIST)).content.decode()
    end(browser, theirs, confirmed="yes")

    theirs.refresh_from_db()
    assert theirs.revoked_at is None
