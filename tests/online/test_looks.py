"""Who opened my record: the patient's own look at the trail."""

from typing import Any

import pytest
from django.test import Client

from accounts.audit.services import Action, Outcome, record
from accounts.models import AuditEvent, User
from tests import factories
from tests.conftest import staff
from tests.party import browser, make_link
from visits.booking.models import Appointment

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa(visit: Appointment) -> Client:
    return browser(make_link(visit))


def look(rosa: Client, visit: Appointment, **query: Any) -> str:
    answer = rosa.get(f"/my/{visit.pk}/looks/", query)
    assert answer.status_code == 200
    return answer.content.decode()


def opened(visit: Appointment, by: User, subtype: str = "visit.view", **fields: Any) -> None:
    record(subtype, Action.READ, principal=staff(by), entity=visit, patient=visit.patient, **fields)


def test_it_says_who_in_which_role_did_what(rosa, visit, clinician, front_desk):
    opened(visit, clinician)
    opened(visit, front_desk, "some.thing", outcome=Outcome.MINOR_FAILURE)

    page = look(rosa, visit)

    for words in ("Amara Okafor", "Clinician", "Opened a visit of yours", "Lee Park", "Front desk", "refused"):
        assert words in page
    assert "Looked at your data" in page
    assert "some.thing" not in page


def test_a_clinic_may_keep_names_to_itself(rosa, visit, front_desk):
    opened(visit, front_desk)
    visit.clinic.names_staff = False
    visit.clinic.save()

    page = look(rosa, visit)

    assert "Lee Park" not in page
    assert "Front desk" in page


def test_neither_other_patients_nor_the_patient_nor_the_system_are_in_it(rosa, visit, clinician):
    other = factories.make_visit(visit.practitioner)
    opened(other, clinician)
    record("message.send", Action.EXECUTE, entity=visit, patient=visit.patient)

    page = look(rosa, visit)
    page = look(rosa, visit)  # the first look is on the trail, too

    assert "Nobody yet." in page


def test_it_is_paged_newest_first(rosa, visit, clinician, front_desk):
    opened(visit, front_desk, "visit.invite")
    for _ in range(26):
        opened(visit, clinician)

    assert look(rosa, visit).count("<time") == 25
    assert "Invited somebody" not in look(rosa, visit)
    assert "Page 2 of 2" in look(rosa, visit, page=2)
    assert "Invited somebody" in look(rosa, visit, page=2)
    assert "Page 2 of 2" in look(rosa, visit, page=99)
    assert "Page 1 of 2" in look(rosa, visit, page="x")


def test_looking_is_on_the_trail(rosa, visit):
    look(rosa, visit)

    event = AuditEvent.objects.get(subtype="trail.view")
    assert (event.role, event.patient, event.link.resource_id) == ("patient", visit.patient, visit.pk)


def test_it_is_for_the_patient_alone(visit, verified, stranger, clinician, password_only):
    """Another patient, a guest, staff, a stranger: nobody else."""
    address = f"/my/{visit.pk}/looks/"
    other = browser(make_link(factories.make_visit(visit.practitioner)))
    guest = browser(make_link(visit, guest="Ines Ruiz"))

    assert guest.get(address).status_code == 404
    for client in (other, Client(), verified(stranger), verified(clinician), password_only(clinician)):
        assert client.get(address).status_code == 302


def test_the_list_of_visits_leads_there(rosa, visit):
    assert f"/my/{visit.pk}/looks/" in rosa.get(f"/my/{visit.pk}/visits/").content.decode()
