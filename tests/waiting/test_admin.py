"""What the Django admin shows of check-in and waiting, and to whom."""

import pytest
from django.urls import reverse

from visits.checkin.models import ConsentText
from visits.waiting import services
from visits.waiting.models import Delay

pytestmark = pytest.mark.django_db

LISTS = ["checkin_checkin", "checkin_consent", "checkin_consenttext", "waiting_delay", "waiting_ticket"]


@pytest.fixture
def arrived(as_patient, visit):
    services.arrive(principal=as_patient, visit=visit)
    Delay.objects.create(practitioner=visit.practitioner, day=visit.start.date(), minutes=15)
    return visit


@pytest.mark.parametrize("name", LISTS)
def test_the_clinic_admin_finds_them(verified, clinic_admin, arrived, name):
    page = verified(clinic_admin).get(reverse(f"admin:{name}_changelist"))

    assert page.status_code == 200
    assert page.context["cl"].result_count >= 1


@pytest.mark.parametrize("name", LISTS)
def test_another_clinic_finds_nothing_of_ours(verified, other_clinic, arrived, name):
    from accounts.policy import Role
    from tests import factories

    stranger = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)
    rows = verified(stranger).get(reverse(f"admin:{name}_changelist")).context["cl"].queryset

    assert all(row.clinic == other_clinic for row in rows) if name == "checkin_consenttext" else not rows.exists()


@pytest.mark.parametrize("name", LISTS)
def test_without_a_second_factor_or_the_role_the_admin_is_shut(password_only, verified, clinic_admin, clinician, name):
    url = reverse(f"admin:{name}_changelist")

    assert password_only(clinic_admin).get(url).status_code == 302
    assert verified(clinician).get(url).status_code in {302, 403}


def test_what_patients_did_is_read_only(verified, clinic_admin, arrived):
    client = verified(clinic_admin)
    for name, pk in [
        ("waiting_ticket", arrived.pk),
        ("checkin_checkin", arrived.pk),
        ("checkin_consent", arrived.consent.pk),
        ("checkin_consenttext", arrived.consent.text_id),
    ]:
        url = reverse(f"admin:{name}_change", args=[pk])
        assert client.get(url).status_code == 200
        assert client.post(url, {}).status_code == 403
        assert client.post(reverse(f"admin:{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:waiting_ticket_add")).status_code == 403


def test_a_new_version_of_the_agreement_can_be_added(verified, clinic_admin, clinic):
    response = verified(clinic_admin).post(
        reverse("admin:checkin_consenttext_add"),
        {"clinic": clinic.pk, "language": "en", "version": 2, "body": "New words.",
         "published_at": "2026-01-01T00:00"},
    )  # fmt: skip

    assert response.status_code == 302
    assert ConsentText.objects.get(clinic=clinic, language="en", version=2).body == "New words."
