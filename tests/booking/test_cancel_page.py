"""Cancelling a visit: asked first, done by POST, once."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from visits.booking.models import Appointment

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(visit) -> str:
    return f"/visits/{visit.pk}/cancel/"


def test_looking_at_the_question_cancels_nothing(verified, front_desk, visit, path):
    page = verified(front_desk).get(path).content.decode()

    assert "Cancel this visit?" in page
    visit.refresh_from_db()
    assert visit.status == "booked"


def test_a_visit_is_cancelled_with_a_reason_and_twice_is_once(verified, front_desk, visit, path):
    client = verified(front_desk)

    for _ in range(2):
        answer = client.post(path, {"reason": "Snow"})
        assert answer["Location"] == reverse("room:visit", kwargs={"pk": visit.pk})

    visit.refresh_from_db()
    assert (visit.status, visit.cancelation_reason, visit.revision) == ("cancelled", "Snow", 1)


def test_a_visit_that_took_place_is_not_cancelled(verified, clinician, visit, path):
    Appointment.objects.filter(pk=visit.pk).update(status="fulfilled")
    client = verified(clinician)

    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 302
        assert "cannot be cancelled" in str(list(get_messages(answer.wsgi_request))[-1])
    visit.refresh_from_db()
    assert visit.status == "fulfilled"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_finds_no_such_visit(verified, stranger, path, method):
    assert getattr(verified(stranger), method)(path).status_code == 404


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_other_roles_are_refused(verified, request, path, role, method, visit):
    assert getattr(verified(request.getfixturevalue(role)), method)(path).status_code == 403


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_a_second_factor_nobody_comes_in(password_only, client, front_desk, visit, path, method):
    for visitor in (client, password_only(front_desk)):
        assert getattr(visitor, method)(path).status_code in {302, 403}
    visit.refresh_from_db()
    assert visit.status == "booked"
