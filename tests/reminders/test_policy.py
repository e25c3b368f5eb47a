"""Who changes how a clinic reminds, and what a stranger sees of it."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from tests import factories
from tests.conftest import verify
from visits.reminders.models import Communication, ContactPreference, LeadTime, ReminderPolicy

ADD = reverse("admin:reminders_reminderpolicy_add")


@pytest.fixture
def admin_client(clinic_admin, client):
    return verify(client, clinic_admin)


def test_rules_begin_with_the_reminders_that_the_clinic_had_without(admin_client, clinic):
    page = admin_client.get(ADD).content.decode()
    for minutes in (4320, 1440, 60, 10):
        assert f'value="{minutes}"' in page


def test_a_clinics_admin_writes_its_rules(admin_client, clinic):
    rows = {
        "lead_times-TOTAL_FORMS": "1",
        "lead_times-INITIAL_FORMS": "0",
        "lead_times-0-minutes": "120",
        "lead_times-0-email": "on",
    }
    answer = admin_client.post(
        ADD,
        {"clinic": clinic.pk, "sms": "on", "quiet_from": "22:00", "quiet_until": "07:00", "form_lead": "0", **rows},
    )

    assert answer.status_code == 302, answer.content.decode()[:3000]
    policy = ReminderPolicy.objects.get()
    assert [lead.minutes for lead in policy.leads()] == [120]
    assert AuditEvent.objects.filter(subtype="admin.add", entity_type="ReminderPolicy").exists()


def test_another_clinics_rules_marks_and_messages_are_not_to_be_found(admin_client, other_clinic):
    policy = ReminderPolicy.make(other_clinic)
    patient = factories.make_patient(other_clinic)
    mark = ContactPreference.objects.create(patient=patient, channel="email")
    visit = factories.make_visit(factories.make_practitioner(other_clinic), patient=patient)
    message = Communication.objects.create(appointment=visit, kind="confirmation", due_at=visit.start)

    for name, pk in (
        ("reminderpolicy", policy.pk),
        ("leadtime", LeadTime.objects.first().pk),
        ("contactpreference", mark.pk),
        ("communication", message.pk),
    ):
        assert admin_client.get(reverse(f"admin:reminders_{name}_change", args=[pk])).status_code == 302
        assert (
            str(patient.family_name)
            not in admin_client.get(reverse(f"admin:reminders_{name}_changelist")).content.decode()
        )


def test_front_desk_does_not(front_desk, client, clinic):
    assert verify(client, front_desk).get(ADD).status_code in {302, 403}
