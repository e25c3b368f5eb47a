"""What is kept how long, and what goes in the night."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AuditEvent, Patient
from telehealth.celery import app
from tests import factories
from tests.records.conftest import live
from visits.checkin.models import CheckIn
from visits.records import retention, tasks
from visits.records.models import RetentionRule
from visits.records.policies import POLICIES, Subject
from visits.reminders.models import Communication
from visits.room.models import LineMinute
from visits.waitlist.models import WaitlistEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def recent(rosa, practitioner, clinician, front_desk):
    """Two years ago: the record stays, what is for the day of the visit goes."""
    return live(rosa, practitioner, clinician, front_desk, timezone.now() - timedelta(days=730))


def due(clinic):
    return {one.subject: one.rows for one in retention.find() if one.clinic == clinic}


def test_a_dry_run_counts_and_names_the_oldest_and_changes_nothing(recent, capsys):
    call_command("retain", "--dry-run")

    said = capsys.readouterr().out
    day = f"{recent.end:%Y-%m-%d}"
    assert f"check-in          1 would go, after 365 days, oldest {day}" in said
    assert "record            0 would go, after 3652 days" in said
    assert "The audit trail is kept" in said
    assert CheckIn.objects.exclude(location="").exists()
    assert not AuditEvent.objects.filter(subtype="retention.run").exists()


def test_what_is_over_its_time_goes_and_the_record_stays(recent, rosa):
    """Row 35 of the checklist: after so many years, by rules."""
    assert tasks.retain() == 6

    assert not CheckIn.objects.exclude(location="").exists()
    assert CheckIn.objects.get().details_at
    assert Communication.objects.get().address == ""
    assert Communication.objects.get().address_hash == ""
    assert not LineMinute.objects.exists()
    assert not WaitlistEntry.objects.exists()
    rosa.refresh_from_db()
    assert (rosa.erased_at, bool(rosa.email)) == (None, True)
    went = {
        event.detail["subject"]: event.detail["rows"] for event in AuditEvent.objects.filter(subtype="retention.run")
    }
    assert went == {"check-in": 1, "address": 1, "wish": 1, "line": 3}
    assert tasks.retain() == 0


def test_old_records_and_people_who_never_came_are_erased(rosa, lived, clinic):
    newcomer = factories.make_patient(clinic)
    fresh = factories.make_patient(clinic)
    Patient.objects.filter(pk=newcomer.pk).update(created_at=timezone.now() - timedelta(days=366))
    assert (due(clinic)[Subject.RECORD], due(clinic)[Subject.NEWCOMER]) == (1, 1)

    call_command("retain")

    erased = Patient.objects.filter(erased_at__isnull=False)
    assert set(erased) == {rosa, newcomer}
    assert fresh not in erased
    assert AuditEvent.objects.filter(subtype="patient.erase", user=None).count() == 2


def test_children_and_who_comes_again_are_not_among_them(rosa, lived, clinic, practitioner):
    child = factories.make_patient(clinic, birth_date=timezone.localdate() - timedelta(days=20 * 365))
    factories.make_visit(practitioner, patient=child, start=lived.start + timedelta(hours=1), status="fulfilled")
    factories.make_visit(practitioner, patient=rosa)

    assert due(clinic)[Subject.RECORD] == 0


def test_a_clinic_may_keep_longer_and_only_so_much_shorter(clinic, other_clinic, recent):
    RetentionRule.objects.create(clinic=clinic, subject=Subject.CHECK_IN, days=3000)

    assert due(clinic)[Subject.CHECK_IN] == 0
    assert RetentionRule.days_of(other_clinic, Subject.CHECK_IN) == 365


@pytest.mark.parametrize("subject", Subject)
def test_no_rule_goes_below_its_floor(clinic, subject):
    floor = POLICIES[subject].floor
    RetentionRule(clinic=clinic, subject=subject, days=floor).full_clean()

    with pytest.raises(ValidationError, match=f"At least {floor}".replace(f"{floor}", r"[\d,]+")):
        RetentionRule(clinic=clinic, subject=subject, days=floor - 1).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRule.objects.create(clinic=clinic, subject=subject, days=floor - 1)


def test_defaults_are_not_below_their_floors():
    assert set(POLICIES) == set(Subject) == set(retention.KINDS)
    assert all(policy.days >= policy.floor for policy in POLICIES.values())
    assert POLICIES[Subject.RECORD].floor >= 6 * 365


def test_it_runs_every_night():
    names = {one["task"]: one["schedule"] for one in app.conf.beat_schedule.values()}

    assert names["visits.records.tasks.retain"] == 86400
    assert names["visits.records.tasks.tick"] == 60
