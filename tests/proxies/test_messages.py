"""Messages about a visit go to who acts for the patient, besides or instead of the patient, as long as they do."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import AccessLink, RelatedPerson
from accounts.proxies import services
from tests import factories
from tests.party import bearer
from tests.reminders.conftest import announce, cancel, policy, visit  # noqa: F401
from visits.reminders import links
from visits.reminders import services as reminders
from visits.reminders.models import Communication, ContactPreference
from visits.reminders.services import preferences, rules

pytestmark = pytest.mark.django_db

ROSA, ANA = "rosa@example.org", "ana@example.org"


@pytest.fixture
def sent(visit):  # noqa: F811
    """``sent()``: who is written to of a visit that is booked now."""

    def send():
        announce(visit, "booked")
        reminders.send_due()
        return sorted(one.to[0] for one in mail.outbox)

    return send


def settle():
    """What the patient hears of the grant itself is out of the way: see test_told."""
    Communication.objects.filter(kind="grant").delete()


def grant(desk, patient, **fields):
    defaults = {"given_name": "Ana", "family_name": "Ruiz", "relationship": "MTH", "basis": "patient", "email": ANA}
    person = services.grant(principal=desk, person=RelatedPerson(patient=patient, **defaults | fields))
    settle()
    return person


@pytest.mark.parametrize(("messages", "told"), [("patient", [ROSA]), ("both", [ANA, ROSA]), ("proxy", [ANA])])
def test_the_grant_says_who_is_told(desk, patient, sent, messages, told):
    grant(desk, patient, messages=messages)

    assert sent() == told
    if messages == "proxy":
        row = Communication.objects.get(related_person=None, kind="confirmation")
        assert (row.state, row.reason) == ("suppressed", "to-proxy")


def test_the_mail_is_in_their_language_and_says_for_whom_they_act(desk, patient, sent):
    grant(desk, patient, messages="proxy", language="es")
    sent()

    letter = mail.outbox[0]
    assert "Hola, Ana" in letter.body or "Hola Ana" in letter.body
    assert "Rosa" in letter.body
    assert "Marín" not in letter.body


def test_the_link_is_their_own(desk, patient, sent):
    ana = grant(desk, patient, messages="proxy")
    sent()

    link = AccessLink.objects.get()
    assert (link.kind, link.patient, link.related_person) == ("proxy", patient, ana)
    assert bearer(link).name == "Ana Ruiz"


def test_a_grant_that_comes_later_is_told_of_what_is_to_come(desk, patient, sent):
    assert sent() == [ROSA]
    mail.outbox.clear()

    ana = grant(desk, patient)
    reminders.send_due()

    assert [one.to for one in mail.outbox] == [[ANA]]
    assert set(ana.communications.values_list("kind", flat=True)) >= {"confirmation", "reminder"}


def test_who_does_not_act_any_more_is_told_nothing_of_what_was_planned(desk, patient, visit):  # noqa: F811
    ana = grant(desk, patient, messages="proxy")
    announce(visit, "booked")
    services.end(principal=desk, person=ana)
    settle()

    reminders.send_due()

    assert [one.to for one in mail.outbox] == [[ROSA]]
    assert ana.communications.get(kind="confirmation").reason == "not-proxy"


def test_from_the_birthday_on_messages_go_to_the_patient(desk, patient, visit):  # noqa: F811
    """Row 31 of the checklist: hand-over at the age of majority, with nobody doing anything."""
    birthday = services.today_of(patient) + timedelta(days=1)
    if (birthday.month, birthday.day) == (2, 29):
        pytest.skip("eighteen years ago there was no such day")
    patient.birth_date = birthday.replace(year=birthday.year - 18)
    patient.save()
    ana = grant(desk, patient, basis="minor", messages="proxy")
    row = Communication(appointment=visit, patient=patient, kind="confirmation", channel="email")
    hers = Communication(appointment=visit, patient=patient, kind="confirmation", channel="email", related_person=ana)
    now = timezone.now()

    assert (rules.why_not(row, now=now), rules.why_not(hers, now=now)) == ("to-proxy", "")
    tomorrow = now + timedelta(days=1)
    visit.start, visit.end = tomorrow + timedelta(hours=1), tomorrow + timedelta(hours=2)
    assert (rules.why_not(row, now=tomorrow), rules.why_not(hers, now=tomorrow)) == ("", "not-proxy")


def test_who_gets_an_address_when_nobody_acts_for_them_any_more_is_reminded(desk, patient, visit):  # noqa: F811
    patient.email = patient.phone = ""
    patient.save()
    ana = grant(desk, patient, messages="proxy")
    announce(visit, "booked")
    own = visit.communications.filter(related_person=None, due_at__gt=timezone.now(), channel="email")
    assert set(own.values_list("reason", flat=True)) == {"to-proxy"}

    services.end(principal=desk, person=ana)
    patient.email = ROSA
    patient.save()

    assert set(own.values_list("state", flat=True)) == {"planned"}


def test_a_child_without_an_address_is_no_failure_where_a_parent_is_told(desk, patient, sent):
    patient.email = patient.phone = ""
    patient.save()
    grant(desk, patient, messages="proxy")

    assert sent() == [ANA]
    assert set(Communication.objects.filter(related_person=None).values_list("reason", flat=True)) == {"to-proxy"}


@pytest.mark.parametrize(
    ("scopes", "kinds"),
    [
        ({"joins": True}, {"confirmation", "reminder"}),
        ({"manages": True}, {"confirmation", "reminder", "form-missing"}),
        ({"reads": True}, {"summary"}),
    ],
)
def test_nobody_is_told_what_they_were_not_granted(desk, patient, scopes, kinds):
    ana = grant(desk, patient, **dict.fromkeys(("manages", "joins", "reads"), False) | scopes)
    asked = ("confirmation", "reminder", "form-missing", "summary")

    assert {kind for kind in asked if rules.is_told(ana, kind, timezone.now())} == kinds


def test_who_was_told_is_told_of_the_cancellation_too(desk, patient, sent, visit):  # noqa: F811
    grant(desk, patient, messages="proxy")
    sent()
    mail.outbox.clear()

    cancel(visit)
    reminders.send_due()

    assert [one.to for one in mail.outbox] == [[ANA]]


def test_who_says_stop_says_it_for_themselves(client, desk, patient):
    ana = grant(desk, patient)

    client.post(links.to_stop(ana, "email").removeprefix("http://localhost"))

    assert preferences.of(ana, "email").opted_out_at is not None
    assert preferences.of(patient, "email") is None
    assert ContactPreference.objects.get().patient == patient


def test_who_only_joins_cannot_cancel_by_the_link_in_a_mail(client, desk, patient, sent):
    ana = grant(desk, patient, manages=False)
    sent()
    row = ana.communications.get(kind="confirmation")

    assert links.to_answer(row) == ""
    token = links._answers.sign(row.pk.hex)
    assert client.post(f"/m/{token}/", {"answer": "cancel"}).status_code == 404
    row.visit.refresh_from_db()
    assert row.visit.status == "booked"


def test_the_database_plans_each_message_once_for_each(desk, patient, sent, visit):  # noqa: F811
    grant(desk, patient)
    other = factories.make_proxy(patient, email="luis@example.org")
    sent()
    count = Communication.objects.count()

    reminders.plan(visit)

    assert Communication.objects.count() == count
    assert other.communications.filter(kind="confirmation").count() == 1
