"""Cancelling a visit: asked first, done by POST, once."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.http import Http404
from django.urls import reverse

from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from visits.booking import services
from visits.booking.models import Appointment, AppointmentSeries

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


# --- visits that were booked together


@pytest.fixture
def together(visit, practitioner) -> list[Appointment]:
    """The visit, one before it, two after it; and one of somebody else."""
    series = AppointmentSeries.objects.create(clinic=visit.clinic, weeks=1, count=4)
    Appointment.objects.filter(pk=visit.pk).update(series=series)
    factories.make_visit(practitioner)
    week = timedelta(weeks=1)
    return [
        visit,
        *(
            factories.make_visit(practitioner, patient=visit.patient, series=series, start=visit.start + n * week)
            for n in (-1, 1, 2)
        ),
    ]


def statuses(visits: list[Appointment]) -> list[str]:
    return [Appointment.objects.get(pk=visit.pk).status for visit in visits]


def test_those_after_it_are_cancelled_with_it_if_wanted(verified, front_desk, together, path):
    client = verified(front_desk)
    assert "Also the 2 visits after it" in client.get(path).content.decode()

    answer = client.post(path, {"reason": "Better", "following": "on"})

    assert statuses(together) == ["cancelled", "booked", "cancelled", "cancelled"]
    assert [one.cancelation_reason for one in Appointment.objects.filter(status="cancelled")] == ["Better"] * 3
    assert Appointment.objects.filter(status="booked").count() == 2
    assert "3 visits are cancelled" in str(list(get_messages(answer.wsgi_request))[-1])


def test_without_a_word_the_others_stay(verified, front_desk, together, path):
    verified(front_desk).post(path, {"reason": ""})

    assert statuses(together) == ["cancelled", "booked", "booked", "booked"]


def test_when_it_cannot_be_cancelled_none_is(verified, front_desk, together, path):
    Appointment.objects.filter(pk=together[0].pk).update(status="fulfilled")

    verified(front_desk).post(path, {"following": "on"})

    assert statuses(together) == ["fulfilled", "booked", "booked", "booked"]


def test_a_visit_alone_asks_for_no_others(verified, front_desk, visit, path):
    assert "after it" not in verified(front_desk).get(path).content.decode()
    verified(front_desk).post(path, {"following": "on"})

    assert statuses([visit]) == ["cancelled"]


def test_the_record_names_those_that_were_booked_with_it(verified, front_desk, together):
    page = verified(front_desk).get(reverse("room:visit", kwargs={"pk": together[0].pk})).content.decode()

    for other in together[1:]:
        assert reverse("room:visit", kwargs={"pk": other.pk}) in page


@pytest.mark.parametrize("who", ["stranger", "clinic_admin", "auditor"])
def test_others_cancel_no_series(request, together, who):
    with pytest.raises(Http404):
        services.cancel_following(principal=staff(request.getfixturevalue(who)), visit=together[0])

    assert statuses(together) == ["booked"] * 4


def test_a_patient_cancels_one_at_a_time(together):
    with pytest.raises(Http404):
        services.cancel_following(principal=bearer(make_link(together[0])), visit=together[0])
