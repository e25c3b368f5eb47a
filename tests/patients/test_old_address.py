"""The address that a clinic writes to no more is told so, of patients and of who acts for them."""

import logging

import pytest
from django.core import mail

from accounts.keys.sealing import CannotOpen
from accounts.mailing import WAITS
from accounts.models import Clinic, Patient, RelatedPerson, User
from accounts.patients import notices
from accounts.patients.tasks import mail_old_address
from tests import factories
from tests.conftest import staff
from visits.records.services import erasure

pytestmark = pytest.mark.django_db
OLD, NEW = "rosa@example.org", "somebody@example.org"


@pytest.fixture
def rosa(clinic: Clinic) -> Patient:
    return factories.make_patient(clinic, email=OLD)


@pytest.fixture
def ana(rosa: Patient, front_desk: User) -> RelatedPerson:
    return factories.make_proxy(rosa, given_name="Ana", family_name="Ruiz", email=OLD, granted_by=front_desk)


@pytest.fixture
def waiting(monkeypatch):
    """What waits for a worker."""
    given = []
    monkeypatch.setattr(mail_old_address, "delay", lambda *each: given.append(each))
    return given


def change(bearer: Patient | RelatedPerson, committed, **fields: str) -> None:
    with committed(execute=True):
        for name, value in fields.items():
            setattr(bearer, name, value)
        bearer.save()


@pytest.mark.parametrize(("who", "new"), [("rosa", NEW), ("rosa", ""), ("ana", NEW)])
def test_the_old_address_hears_of_it(request, who, new, waiting, django_capture_on_commit_callbacks):
    """Row 31 of the checklist: nobody is cut off from what is sent about them without a word."""
    bearer = request.getfixturevalue(who)
    change(bearer, django_capture_on_commit_callbacks, email=new)

    assert len(waiting) == 1
    assert OLD not in str(waiting)  # a queue is read by more than the worker
    mail_old_address(*waiting[0])
    told = mail.outbox[-1]
    assert told.to == [OLD]
    assert "Nothing comes to this one any more" in told.body
    assert bearer.clinic.phone in told.body
    for name in (bearer.given_name, bearer.family_name, NEW):
        assert name not in told.subject + told.body  # somebody else may have the mailbox by now


def test_in_the_language_of_who_had_it(rosa, waiting, django_capture_on_commit_callbacks):
    change(rosa, django_capture_on_commit_callbacks, email=NEW, language="es")
    mail_old_address(*waiting[0])
    assert "A esta ya no llega nada" in mail.outbox[-1].body


@pytest.mark.parametrize("fields", [{"email": OLD.upper()}, {"phone": "+16085550199"}, {"given_name": "Rosita"}])
def test_what_is_no_other_address_is_told_to_nobody(rosa, waiting, django_capture_on_commit_callbacks, fields):
    change(rosa, django_capture_on_commit_callbacks, **fields)
    assert waiting == []


def test_a_first_address_has_no_old_one(clinic, waiting, django_capture_on_commit_callbacks):
    leo = factories.make_patient(clinic, email="")
    change(leo, django_capture_on_commit_callbacks, email=NEW)
    assert waiting == []


def test_who_is_erased_hears_nothing(rosa, clinic_admin, waiting, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase(principal=staff(clinic_admin), patient=rosa)
    assert Patient.objects.get(pk=rosa.pk).email == ""
    assert waiting == []


def test_what_another_clinic_sealed_goes_nowhere(rosa, clinic, waiting, django_capture_on_commit_callbacks):
    change(rosa, django_capture_on_commit_callbacks, email=NEW)
    other = factories.make_clinic(name="Elsewhere", slug="elsewhere")
    with pytest.raises(CannotOpen):
        notices.mail_to_old_address(other, "en", waiting[0][2])
    assert not mail.outbox


def test_a_mail_server_that_is_away_is_tried_for_an_hour_and_named_without_the_address(
    rosa, waiting, django_capture_on_commit_callbacks, monkeypatch, caplog
):
    tries = []

    def refuse(*given: object, **__: object) -> None:
        tries.append(given)
        raise OSError(f"cannot write to {OLD}")

    monkeypatch.setattr(notices, "send_mail", refuse)
    change(rosa, django_capture_on_commit_callbacks, email=NEW)
    caplog.set_level(logging.DEBUG)
    mail_old_address.apply(waiting[0])  # as a worker does, but for the waiting
    assert len(tries) == 1 + len(WAITS)
    assert 3600 <= sum(WAITS) < 4000
    assert max(WAITS) < 3600
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        f"mail to an old address, clinic {rosa.clinic.pk}: OSError, not sent and given up"
    ]
    assert OLD not in caplog.text


def test_a_mail_server_that_is_back_is_written_to_once(rosa, waiting, django_capture_on_commit_callbacks, monkeypatch):
    send, down = notices.send_mail, [OSError(), OSError()]

    def late(*given: object) -> None:
        if down:
            raise down.pop()
        send(*given)

    monkeypatch.setattr(notices, "send_mail", late)
    change(rosa, django_capture_on_commit_callbacks, email=NEW)
    mail_old_address.apply(waiting[0])
    assert [message.to for message in mail.outbox] == [[OLD]]
