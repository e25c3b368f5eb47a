"""The ledger in the admin: to read, and to send again."""

import pytest
from django.urls import reverse

from tests import factories
from tests.lists import find
from tests.reminders.conftest import announce
from visits.booking.models import Appointment
from visits.reminders.models import Communication

LIST = reverse("admin:reminders_communication_changelist")


@pytest.fixture
def planned(visit: Appointment) -> Communication:
    announce(visit, "booked")
    return visit.communications.get(kind="confirmation")


def test_the_clinic_admin_reads_the_ledger_of_the_own_clinic(planned, clinic_admin, other_clinic, verified):
    elsewhere = factories.make_visit(factories.make_practitioner(other_clinic))
    announce(elsewhere, "booked")

    page = verified(clinic_admin).get(LIST)

    assert page.status_code == 200
    assert page.context["cl"].result_count == planned.appointment.communications.count()
    assert "Confirmation" in page.content.decode()


def test_the_filters_and_the_search_work(planned, clinic_admin, verified):
    admin = verified(clinic_admin)

    assert find(admin, LIST, "Marín", state__exact="planned").context["cl"].result_count > 0
    assert find(admin, LIST, "Nobody").context["cl"].result_count == 0


def test_nothing_can_be_written(planned, clinic_admin, verified):
    admin = verified(clinic_admin)
    change = reverse("admin:reminders_communication_change", args=[planned.pk])

    assert admin.get(reverse("admin:reminders_communication_add")).status_code == 403
    assert admin.get(change).status_code == 200
    assert admin.post(change, {"state": "sent"}).status_code == 403
    assert admin.post(reverse("admin:reminders_communication_delete", args=[planned.pk])).status_code == 403


def test_send_again_plans_one_more(planned, clinic_admin, verified):
    Communication.objects.filter(pk=planned.pk).update(state="failed", reason="refused")

    chosen = {"action": "send_again", "_selected_action": [str(planned.pk)], "confirmed": "yes"}
    verified(clinic_admin).post(LIST, chosen)

    assert planned.appointment.communications.filter(kind="confirmation", serial=1, state="planned").count() == 1


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor"])
def test_others_do_not_read_it(planned, who, request, verified):
    response = verified(request.getfixturevalue(who)).get(LIST)

    assert response.status_code in {302, 403}
