"""Drafts that overwrite nothing, and publishing for good."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import AuditEvent
from tests.conftest import staff
from tests.room.conftest import admit, be_here
from tests.summary.conftest import CORRECTED, TEXT, colleague, publish, save
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.room.services import open_encounter
from visits.summary import services
from visits.summary.models import LONGEST, Composition
from visits.summary.services import Meanwhile, Text, Unchanged

pytestmark = pytest.mark.django_db


def test_a_draft_is_kept_and_sealed_and_tells_nobody(author, ended):
    draft = save(author, ended)

    draft = Composition.objects.get(pk=draft.pk)
    assert (draft.status, draft.version, draft.saves, draft.language) == ("preliminary", 1, 1, "en")
    assert draft.author_name == "Dr. Amara Okafor"
    assert Text.of(draft) == TEXT
    assert services.newest(ended) is None
    assert not Communication.objects.filter(kind="summary").exists()


def test_publishing_tells_the_patient_in_the_same_transaction(author, ended):
    with transaction.atomic():
        publish(author, ended)
        transaction.set_rollback(True)
    assert not Composition.objects.exists()
    assert not Communication.objects.filter(kind="summary").exists()

    summary = publish(author, ended)

    assert summary.status == "final"
    message = Communication.objects.get(kind="summary")
    assert (message.appointment, message.state, message.reference) == (ended, "planned", str(summary.pk))
    event = AuditEvent.objects.filter(subtype="summary.publish").get()
    assert (event.patient, event.entity_id) == (ended.patient, str(summary.pk))
    assert event.detail == {"version": 1}


def test_a_correction_is_the_next_version_and_a_message_of_its_own(author, ended, published):
    again = publish(author, ended, CORRECTED)

    assert (again.version, again.status) == (2, "amended")
    assert services.newest(ended) == again
    assert services.name_of(ended) == published.pk
    assert Text.of(Composition.objects.get(pk=published.pk)) == TEXT
    first, second = Communication.objects.filter(kind="summary").order_by("serial")
    # The first had not gone out: the patient hears once.
    assert (first.state, first.reason) == ("suppressed", "superseded")
    assert second.details["version"] == 2


def test_a_correction_that_changes_nothing_is_none(author, ended, published):
    with pytest.raises(Unchanged):
        publish(author, ended, replace(TEXT, correction="Nothing."))

    assert Composition.objects.count() == 1


@pytest.mark.parametrize("text", [Text(), Text(correction="Nothing else.")])
def test_what_says_nothing_cannot_be_published(author, ended, text):
    with pytest.raises(IntegrityError), transaction.atomic():
        publish(author, ended, text)


def test_a_later_version_says_what_is_new(author, ended, published):
    with pytest.raises(IntegrityError), transaction.atomic():
        publish(author, ended, replace(CORRECTED, correction=""))


def test_who_saves_from_an_old_state_overwrites_nothing(author, ended):
    first = save(author, ended)
    seen = first.token
    save(author, ended, replace(TEXT, what_to_do="From the other window."), seen)

    with pytest.raises(Meanwhile) as meanwhile:
        save(author, ended, replace(TEXT, what_to_do="From this window."), seen)
    assert meanwhile.value.current.what_to_do == "From the other window."
    with pytest.raises(Meanwhile):
        publish(author, ended, replace(TEXT, what_to_do="From this window."), seen)

    assert Composition.objects.get().what_to_do == "From the other window."


def test_who_goes_on_writing_what_was_published_meanwhile_hears_of_it(author, ended):
    seen = save(author, ended).token
    summary = publish(author, ended, seen=seen)

    with pytest.raises(Meanwhile) as meanwhile:
        save(author, ended, replace(TEXT, what_to_do="More."), seen)

    assert meanwhile.value.current == summary


def test_pressing_twice_is_pressing_once(author, ended):
    seen = save(author, ended).token
    assert save(author, ended, TEXT, "1.0").token == seen

    first = publish(author, ended, TEXT, seen)
    second = publish(author, ended, TEXT, seen)

    assert first == second
    assert Communication.objects.filter(kind="summary").count() == 1


def test_one_sitting_is_one_row_of_the_trail(author, ended):
    for number in range(3):
        save(author, ended, replace(TEXT, what_to_do=f"Draft {number}"))
    rows = AuditEvent.objects.filter(subtype="summary.save")
    assert rows.count() == 1

    Composition.objects.update(saved_at=timezone.now() - timedelta(minutes=11))
    save(author, ended, replace(TEXT, what_to_do="Later"))

    assert rows.count() == 2


def test_who_was_in_the_call_as_a_clinician_may_write_too(visit, author):
    helper = colleague(visit)
    admit(visit, helper)
    open_encounter(principal=author, visit=visit)
    be_here(staff(helper), visit)
    with pytest.raises(Http404):  # it has not taken place
        save(staff(helper), visit)
    Appointment.objects.filter(pk=visit.pk).update(status="fulfilled")
    visit.refresh_from_db()

    assert save(staff(helper), visit).author == helper


@pytest.mark.parametrize("status", ["booked", "arrived", "cancelled", "noshow"])
def test_only_a_visit_that_took_place_has_one(author, ended, status):
    Appointment.objects.filter(pk=ended.pk).update(status=status)

    with pytest.raises(Http404):
        save(author, ended, seen="1.0")


def test_more_than_fits_is_refused_and_not_cut(author, ended):
    with pytest.raises(ValueError, match="4000"):
        save(author, ended, Text(what_to_do="x" * (LONGEST + 1)))
