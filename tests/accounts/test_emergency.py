"""A record in an emergency: closed to clinicians who do not treat the patient, open for an hour, reviewed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit.purposes import Purpose
from accounts.emergency import services
from accounts.emergency.services import NotTreating, open_record, purpose_of, review
from accounts.models import AuditEvent, Clinic, EmergencyAccess, Patient, User
from accounts.policy import Role
from tests import factories
from tests.accounts.test_stepup import grow_stale
from tests.conftest import staff
from visits.booking.models import Appointment
from visits.room.models import Encounter, Presence, Seat

WHY = "Found unconscious; the ambulance asks what she takes."
Finding = EmergencyAccess.Finding


@pytest.fixture
def other(clinic: Clinic) -> User:
    """A clinician of the same clinic who has no visit with the patient."""
    user = factories.make_member(clinic, Role.CLINICIAN)
    factories.make_practitioner(clinic, user=user)
    return user


def answers_page(visit: Appointment) -> str:
    return reverse("intake:answers", args=[visit.pk])


def test_who_has_a_visit_with_the_patient_treats_them(visit: Appointment, clinician: User, front_desk: User) -> None:
    assert visit.practitioner.user == clinician
    assert purpose_of(staff(clinician), visit.patient) == Purpose.TREATMENT
    assert purpose_of(staff(front_desk), visit.patient) == Purpose.OPERATIONS

    Appointment.objects.update(status=Appointment.Status.CANCELLED)
    with pytest.raises(NotTreating):
        purpose_of(staff(clinician), visit.patient)


def test_who_was_in_the_call_treats_them_too(visit: Appointment, other: User) -> None:
    with pytest.raises(NotTreating):
        purpose_of(staff(other), visit.patient)
    encounter = Encounter.objects.create(appointment=visit, started_at=timezone.now(), encryption="preferred")
    seat = Seat.objects.create(encounter=encounter, user=other, role=Role.CLINICIAN, name=other.name)
    with pytest.raises(NotTreating):
        purpose_of(staff(other), visit.patient)  # a seat that nobody ever sat in

    Presence.objects.create(seat=seat, epoch=1, joined_at=timezone.now(), seen_at=timezone.now())
    assert purpose_of(staff(other), visit.patient) == Purpose.TREATMENT


@pytest.mark.parametrize("page", ["intake:answers", "summary:visit"])
def test_a_closed_record_leads_to_the_question_why_and_back(
    verified: Callable[[User], Client], visit: Appointment, other: User, page: str
) -> None:
    """Row 2 of the checklist: denied, granted with a reason, allowed, expired, and on the trail."""
    record = reverse(page, args=[visit.pk])
    browser = verified(other)

    asked = browser.get(record)
    assert asked.status_code == 302
    question = browser.get(asked["Location"])
    assert question.status_code == 200
    assert visit.patient.family_name not in question.content.decode()
    assert not AuditEvent.objects.filter(subtype__in=["intake.view", "summary.view"]).exists()

    short = browser.post(asked["Location"], {"reason": "because", "next": record})
    assert short.status_code == 200
    assert "because" in short.content.decode()
    granted = browser.post(asked["Location"], {"reason": WHY, "next": record})
    assert granted["Location"] == record

    again = browser.get(record)
    if page == "intake:answers":
        assert again.status_code == 200
        assert AuditEvent.objects.get(subtype="intake.view").detail["purpose"] == "BTG"
    else:
        assert again.status_code == 404  # nothing was published, and the door is past
    event = AuditEvent.objects.get(subtype="record.emergency")
    assert (event.patient, event.user, event.detail["purpose"]) == (visit.patient, other, "BTG")

    with an_hour_later():
        assert browser.get(record).status_code == 302


@contextmanager
def an_hour_later() -> Iterator[None]:
    later = timezone.now() + timedelta(hours=1, seconds=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.timezone, "now", lambda: later)
        yield


def test_the_trail_says_from_where_and_by_which_request(patient: Patient, other: User, verified: Any) -> None:
    """Also of what a service records that is not handed the request."""
    answer = verified(other).post(reverse("accounts:emergency", args=[patient.pk]), {"reason": WHY})

    event = AuditEvent.objects.get(subtype="record.emergency")
    assert event.address == "127.0.0.1"
    assert event.request_id == answer.headers["X-Request-ID"]


def test_a_second_factor_of_a_while_ago_is_asked_again(
    verified: Callable[[User], Client], patient: Patient, other: User
) -> None:
    browser = grow_stale(verified(other))

    page = browser.post(reverse("accounts:emergency", args=[patient.pk]), {"reason": WHY})

    assert "Confirm that it is you" in page.content.decode()
    assert WHY in page.content.decode()
    assert not EmergencyAccess.objects.exists()


def test_a_part_of_a_page_leads_its_whole_page_there(
    verified: Callable[[User], Client], visit: Appointment, other: User
) -> None:
    here = f"https://testserver/visits/{visit.pk}/room/"

    part = verified(other).get(answers_page(visit), headers={"HX-Request": "true", "HX-Current-URL": here})

    assert part.status_code == 403
    assert part["HX-Redirect"].startswith(reverse("accounts:emergency", args=[visit.patient.pk]))
    assert "testserver" not in part["HX-Redirect"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_the_way_back_stays_here(
    verified: Callable[[User], Client], patient: Patient, other: User, elsewhere: str
) -> None:
    page = reverse("accounts:emergency", args=[patient.pk])

    assert verified(other).post(page, {"reason": WHY, "next": elsewhere})["Location"] == "/"


def test_strangers_open_nothing(
    verified: Callable[[User], Client],
    password_only: Callable[[User], Client],
    client: Client,
    patient: Patient,
    stranger: User,
    front_desk: User,
    clinic_admin: User,
    other: User,
) -> None:
    page = reverse("accounts:emergency", args=[patient.pk])

    assert verified(stranger).post(page, {"reason": WHY}).status_code == 404
    assert verified(front_desk).post(page, {"reason": WHY}).status_code == 403
    assert verified(clinic_admin).post(page, {"reason": WHY}).status_code == 403
    assert password_only(other).get(page).status_code == 302
    assert client.get(page).status_code == 302
    with pytest.raises(Http404):
        open_record(principal=staff(stranger), patient=patient, reason=WHY)
    with pytest.raises(Http404):
        open_record(principal=staff(front_desk), patient=patient, reason=WHY)
    assert not EmergencyAccess.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_privacy_contact_is_told_at_once_without_a_name_of_the_patient(
    clinic: Clinic, patient: Patient, other: User, clinic_admin: User, settings: Any
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    services.tell_of.app.conf.task_always_eager = True
    try:
        open_record(principal=staff(other), patient=patient, reason=WHY)
        Clinic.objects.update(privacy_email="privacy@riverside.example")
        open_record(principal=staff(other), patient=patient, reason=WHY)
    finally:
        services.tell_of.app.conf.task_always_eager = False

    assert [message.to for message in mail.outbox] == [[clinic_admin.email], ["privacy@riverside.example"]]
    for message in mail.outbox:
        text = f"{message.subject} {message.body}"
        assert other.name in text
        assert patient.family_name not in text
        assert WHY not in text


def test_a_mail_server_that_is_away_is_tried_again(
    clinic: Clinic, patient: Patient, other: User, clinic_admin: User, monkeypatch: Any
) -> None:
    down = [OSError()]

    def late(*given: Any) -> None:
        if down:
            raise down.pop()
        mail.send_mail(*given)

    monkeypatch.setattr("accounts.emergency.tasks.send_mail", late)
    access = open_record(principal=staff(other), patient=patient, reason=WHY)

    services.tell_of.apply([str(access.pk)])

    assert [message.to for message in mail.outbox] == [[clinic_admin.email]]


def test_where_nobody_can_be_told_the_log_says_so(patient: Patient, other: User, caplog: Any) -> None:
    access = open_record(principal=staff(other), patient=patient, reason=WHY)

    services.tell_of(str(access.pk))

    assert f"access {access.pk} in an emergency: clinic {access.clinic_id} has nobody who could be told" in caplog.text
    assert not mail.outbox


def test_somebody_else_reviews_it_once(patient: Patient, other: User, clinic_admin: User) -> None:
    access = open_record(principal=staff(other), patient=patient, reason=WHY)

    with pytest.raises(services.OwnAccess):
        review(principal=staff(other), access=access, finding=Finding.JUSTIFIED, note="")
    review(principal=staff(clinic_admin), access=access, finding=Finding.NOT_JUSTIFIED, note="She was at lunch.")
    with pytest.raises(services.AlreadyReviewed):
        review(principal=staff(clinic_admin), access=access, finding=Finding.JUSTIFIED, note="")

    access.refresh_from_db()
    assert (access.finding, access.reviewed_by, access.note) == ("not-justified", clinic_admin, "She was at lunch.")
    assert AuditEvent.objects.get(subtype="record.emergency-review").detail == {"finding": "not-justified"}


def test_the_review_is_a_page_of_the_administration(
    verified: Callable[[User], Client], patient: Patient, other: User, clinic_admin: User, stranger: User
) -> None:
    access = open_record(principal=staff(other), patient=patient, reason=WHY)
    page = reverse("admin:accounts_emergencyaccess_change", args=[access.pk])
    browser = verified(clinic_admin)

    assert "not reviewed" in browser.get(reverse("admin:accounts_emergencyaccess_changelist")).content.decode()
    assert WHY.split(";")[0] in browser.get(page).content.decode()
    undecided = browser.post(page, {"finding": "", "note": "Who was it?"}).content.decode()
    assert "Choose whether it was justified." in undecided
    assert "Review:</label>" in undecided
    assert "Who was it?" in undecided
    access.refresh_from_db()
    assert access.finding == ""
    browser.post(page, {"finding": "justified", "note": "The ambulance confirmed it."})

    access.refresh_from_db()
    assert (access.finding, access.reviewed_by) == ("justified", clinic_admin)
    assert browser.post(page, {"finding": "not-justified", "note": ""}).status_code == 403
    User.objects.filter(pk=stranger.pk).update(is_staff=True)
    assert verified(stranger).get(page).status_code in {302, 403}


def test_a_review_that_somebody_else_has_written_meanwhile_is_not_said_to_be_saved(
    verified: Callable[[User], Client],
    patient: Patient,
    other: User,
    clinic_admin: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = open_record(principal=staff(other), patient=patient, reason=WHY)
    page = reverse("admin:accounts_emergencyaccess_change", args=[access.pk])

    def lose(**_: Any) -> None:
        raise services.AlreadyReviewed

    monkeypatch.setattr(services, "review", lose)
    said = verified(clinic_admin).post(page, {"finding": "justified", "note": ""}, follow=True).content.decode()

    assert "Somebody has reviewed this meanwhile. Nothing was changed." in said
    assert "was changed successfully" not in said


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": timezone.now() + timedelta(days=1)},
        {"opened_at": timezone.now() - timedelta(days=1)},
        {"finding": "justified"},
    ],
)
def test_the_database_keeps_it_as_it_was(patient: Patient, other: User, clinic_admin: User, change: Any) -> None:
    access = open_record(principal=staff(other), patient=patient, reason=WHY)
    review(principal=staff(clinic_admin), access=access, finding=Finding.NOT_JUSTIFIED, note="")

    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.filter(pk=access.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_emergencyaccess")


def test_the_database_gives_nobody_more_than_an_hour_or_their_own_review(
    clinic: Clinic, patient: Patient, other: User
) -> None:
    fields = {"clinic": clinic, "user": other, "patient": patient, "reason": WHY}
    now = timezone.now()

    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.create(**fields, opened_at=now, expires_at=now + timedelta(hours=2))
    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.create(**fields, finding="justified", reviewed_by=other, reviewed_at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.create(**fields, finding="justified")


def test_the_reason_is_sealed(patient: Patient, other: User) -> None:
    """Row 4 of the checklist: why a record was opened is in no plain column."""
    access = open_record(principal=staff(other), patient=patient, reason=WHY)

    with connection.cursor() as cursor:
        cursor.execute("SELECT reason FROM accounts_emergencyaccess")
        assert WHY not in cursor.fetchone()[0]
    assert EmergencyAccess.objects.get(pk=access.pk).reason == WHY
