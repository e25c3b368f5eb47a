"""The patient hears, at their own address, that staff let somebody act for them, changed that or ended it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from accounts.models import AuditEvent, RelatedPerson
from accounts.proxies import services
from tests import factories
from tests.proxies.conftest import CHICAGO
from tests.reminders.conftest import mail_server, policy, set_policy  # noqa: F401
from visits.reminders import services as reminders
from visits.reminders import texts
from visits.reminders.models import Communication, ContactPreference
from visits.reminders.services import reports
from visits.schedule.templatetags.moments import date_words

pytestmark = pytest.mark.django_db

ROSA, ANA, DESK = "rosa@example.org", "ana@example.org", "desk@example.org"
TYPED = {
    "given_name": "Ana",
    "family_name": "Ruiz",
    "relationship": "MTH",
    "basis": "patient",
    "manages": "on",
    "email": ANA,
    "language": "en",
    "messages": "both",
}


@pytest.fixture
def grant(desk, patient):
    def make(**fields: Any) -> RelatedPerson:
        defaults = {"given_name": "Ana", "family_name": "Ruiz", "relationship": "MTH", "basis": "patient", "email": ANA}
        return services.grant(principal=desk, person=RelatedPerson(patient=patient, **defaults | fields))

    return make


@pytest.fixture
def change(desk):
    def make(person: RelatedPerson, **fields: Any) -> None:
        person = RelatedPerson.objects.get(pk=person.pk)
        for name, value in fields.items():
            setattr(person, name, value)
        services.change(principal=desk, person=person)

    return make


def letters() -> list[Any]:
    """The mails that go out now."""
    mail.outbox.clear()
    reminders.send_due()
    return list(mail.outbox)


def rows() -> Any:
    return Communication.objects.filter(kind="grant").order_by("planned_at")


# --- what is told ------------------------------------------------------------------------------------


def test_the_patient_hears_who_may_act_for_them_and_what_they_may_do(grant, clinic):
    """Row 31 of the checklist: nobody is let act for a patient behind their back."""
    grant(reads=True, joins=False)

    (letter,) = letters()
    assert letter.to == [ROSA]
    assert letter.subject == "Somebody may act for you"
    for words in (
        "Hello Rosa. Ana (mother) may act for you.",
        "Ana may: see, change and check in for visits; read summaries and answers.",
        "Messages about visits go to you and to Ana.",
        f"If you did not ask for this, call us: {clinic.phone}.",
    ):
        assert words in letter.body
        assert words in str(letter.alternatives[0][0])
    event = AuditEvent.objects.get(subtype="message.send")
    assert event.outcome == AuditEvent.Outcome.SUCCESS


def test_no_family_name_birth_date_or_address_is_in_it(grant, patient):
    grant(basis_note="Birth certificate", phone="+15550100199")

    whole = letters()[0].message().as_string()
    for word in ("Ruiz", "Marín", "Mar=C3=ADn", "1979", ANA, "0199", "certificate", str(patient.pk)):
        assert word not in whole


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reads": True}, "read summaries and answers"),
        ({"email": DESK}, "The e-mail address or phone number that we have of Ana was changed."),
        ({"phone": "+15550100199"}, "The e-mail address or phone number that we have of Ana was changed."),
        ({"messages": "proxy"}, "Messages about visits go to Ana and not to you."),
        ({"messages": "patient"}, "Messages about visits go to you alone."),
        ({"valid_until": timezone.localdate() + timedelta(days=900)}, " to "),
        ({"given_name": "Eva"}, "Eva (mother)"),
        ({"relationship": "GUARD"}, "Ana (guardian)"),
    ],
)
def test_each_change_is_told(grant, change, fields, words):
    ana = grant()
    letters()

    change(ana, **fields)

    (letter,) = letters()
    assert (letter.to, letter.subject) == ([ROSA], "What somebody may do for you has changed")
    assert "How " in letter.body
    assert words in letter.body


def test_what_does_not_concern_the_patient_is_no_news(grant, change):
    ana = grant(phone="+15550100199")
    letters()

    change(ana, language="es", basis_note="Seen again", phone="(555) 010-0199", email="ANA@example.org")

    assert letters() == []


def test_an_end_is_told_once(desk, grant):
    ana = grant()
    letters()

    services.end(principal=desk, person=ana)
    services.end(principal=desk, person=ana)

    (letter,) = letters()
    assert letter.subject == "Somebody does not act for you any more"
    assert "Ana (mother) does not act for you any more." in letter.body
    assert "may:" not in letter.body


def test_who_is_let_in_and_out_again_before_the_mail_goes_is_still_told_of(desk, grant):
    """Each message says how it was at its time, so nothing is covered up by what came after it."""
    services.end(principal=desk, person=grant(reads=True))

    first, second = letters()
    assert "read summaries and answers" in first.body
    assert "does not act for you any more" in second.body


def test_it_is_in_the_patients_language(patient, grant):
    patient.language = "es"
    patient.save()
    grant(language="en")

    letter = letters()[0]
    assert letter.subject == "Alguien puede actuar en nombre de usted"
    assert "Ana (madre) puede actuar en nombre de usted." in letter.body
    assert letter.extra_headers["Content-Language"] == "es"


# --- where to ----------------------------------------------------------------------------------------


def test_who_gets_all_messages_instead_of_the_patient_does_not_get_this_one(grant):
    grant(messages="proxy")

    assert [letter.to for letter in letters()] == [[ROSA]]


def test_who_wants_no_mail_hears_of_it_all_the_same(patient, grant):
    ContactPreference.objects.create(patient=patient, channel="email", opted_out_at=timezone.now())
    grant()

    assert [letter.to for letter in letters()] == [[ROSA]]


def test_a_child_at_whose_address_the_parent_reads_is_written_to_once(grant):
    grant(email=ROSA)

    assert [letter.to for letter in letters()] == [[ROSA]]


def test_who_has_only_a_phone_is_told_by_text(settings, tmp_path, patient, grant):
    settings.SMS_BACKEND, settings.SMS_FILE_PATH = "visits.reminders.channels.sms.FileBackend", str(tmp_path)
    set_policy(patient.clinic, sms=True)
    patient.email, patient.phone = "", "+15550100177"
    patient.save()
    grant(messages="proxy")

    assert letters() == []
    (text,) = [one.read_text() for one in tmp_path.glob("*.json")]
    assert "+15550100177" in text
    assert "Ana (mother) may act for you. Ana may: see, change and check in for visits; join visits. If you" in text


def test_a_text_wakes_nobody(patient, grant):
    here, hour = timezone.now().astimezone(CHICAGO), timedelta(hours=1)
    quiet = {"quiet_from": (here - hour).time(), "quiet_until": (here + hour).time()}
    set_policy(patient.clinic, sms=True, **quiet)
    patient.email, patient.phone = "", "+15550100177"
    patient.save()
    grant()

    reminders.send_due()

    row = rows().get()
    assert (row.channel, row.state) == ("sms", "planned")
    assert row.due_at > timezone.now()


@pytest.mark.parametrize(("begins", "ends"), [(30, None), (0, 30), (-60, -30)])
def test_of_what_is_not_from_now_on_for_good_texts_tell_the_days_too(grant, begins, ends):
    today = timezone.now().astimezone(CHICAGO).date()
    first, last = (None if days is None else today + timedelta(days=days) for days in (begins, ends))
    grant(valid_from=first, valid_until=last)

    with translation.override("en"):
        days = f"From {date_words(first)} to {date_words(last)}." if last else f"From {date_words(first)} on."
    assert days in texts.compose(rows().get(), link="", now=timezone.now())
    assert days in letters()[0].body


def test_texts_do_not_tell_the_days_of_what_is_from_now_on_for_good(grant):
    grant()

    assert "From" not in texts.compose(rows().get(), link="", now=timezone.now())


@pytest.fixture
def nowhere(patient):
    patient.email = patient.phone = ""
    patient.save()
    return patient


def test_where_there_is_no_address_staff_read_so(verified, front_desk, nowhere):
    page = f"/patients/{nowhere.pk}/proxies/"
    answer = verified(front_desk).post(f"{page}new/", TYPED, follow=True)

    words = "No message could tell the patient of this: tell them yourself. (No address on file)"
    assert words in answer.content.decode()
    assert letters() == []


def test_staff_read_nothing_of_the_sort_where_the_patient_is_told(verified, front_desk, patient):
    answer = verified(front_desk).post(f"/patients/{patient.pk}/proxies/new/", TYPED, follow=True)

    assert "No message could tell" not in answer.content.decode()


def test_of_a_child_without_an_address_the_parent_who_acts_already_is_told(nowhere, grant):
    nowhere.birth_date = timezone.localdate() - timedelta(days=9 * 365)
    nowhere.save()
    grant(basis="minor", messages="proxy")
    assert letters() == []

    grant(given_name="Lee", family_name="Front", relationship="GUARD", basis="minor", email=DESK, reads=True)

    (letter,) = [one for one in letters() if "may act for" in one.body]
    assert (letter.to, letter.subject) == ([ANA], "A change in who acts with you")
    assert "Hello Ana. Lee (guardian) may act for Rosa." in letter.body
    assert "Messages about visits go to Rosa and to Lee." in letter.body


def test_whom_an_adult_without_an_address_has_asked_hears_nothing_of_others(nowhere, grant):
    grant(messages="proxy")

    grant(given_name="Lee", family_name="Front", relationship="FRND", email=DESK)

    assert letters() == []
    assert set(rows().values_list("related_person", "reason")) == {(None, "no-address")}


@pytest.mark.parametrize("less", [{"manages": False}, {"manages": False, "joins": False}, {"messages": "patient"}])
def test_whoever_acts_by_law_is_told_whatever_they_may_do_and_hear_of_visits(nowhere, grant, less):
    eva = {"given_name": "Eva", "family_name": "Ruiz", "email": "eva@example.org", "reads": True}
    factories.make_proxy(nowhere, basis="legal", **eva | less)
    grant()

    assert [letter.to for letter in letters()] == [["eva@example.org"]]


def test_staff_read_of_an_opt_out_rather_than_of_no_address(patient, grant):
    set_policy(patient.clinic, sms=True)
    patient.email, patient.phone = "", "+15550100177"
    patient.save()
    ContactPreference.objects.create(patient=patient, channel="sms", opted_out_at=timezone.now())
    grant()

    assert (rows().get().channel, rows().get().reason) == ("sms", "opted-out")


def test_of_a_closed_record_nobody_is_told(verified, desk, front_desk, patient, grant):
    ana = grant()
    factories.make_proxy(patient, given_name="Eva", basis="legal")
    patient.email, patient.deactivated_at = "", timezone.now()
    patient.save()
    Communication.objects.all().delete()
    services.end(principal=desk, person=ana)

    assert letters() == []
    assert (rows().get().state, rows().get().reason) == ("suppressed", "not-needed")
    page = verified(front_desk).get(f"/patients/{patient.pk}/proxies/").content.decode()
    assert "tell them yourself" not in page


# --- what fails is told otherwise --------------------------------------------------------------------


@pytest.fixture
def refused(mail_server):  # noqa: F811
    """The mail server takes nothing."""
    mail_server.answers["RCPT"] = "550 5.1.1 no such person"


def ways() -> list[tuple[Any, ...]]:
    return [(row.related_person_id, row.channel, row.state) for row in rows()]


def test_what_is_refused_by_mail_is_told_by_text(settings, tmp_path, patient, grant, refused):
    settings.SMS_BACKEND, settings.SMS_FILE_PATH = "visits.reminders.channels.sms.FileBackend", str(tmp_path)
    set_policy(patient.clinic, sms=True)
    patient.phone = "+15550100177"
    patient.save()
    grant()
    reminders.send_due()

    assert ways() == [(None, "email", "failed"), (None, "sms", "sent")]
    assert "Ana (mother) may act for you." in next(tmp_path.glob("*.json")).read_text()


def test_what_bounces_later_is_told_to_who_acts_by_law(patient, grant):
    eva = factories.make_proxy(patient, given_name="Eva", email="eva@example.org", basis="legal")
    grant()
    letters()

    for _ in range(2):
        reports.failed(rows().first(), is_address=True)

    (letter,) = letters()
    assert letter.to == ["eva@example.org"]
    assert "Ana (mother) may act for Rosa." in letter.body
    assert ways() == [(None, "email", "failed"), (eva.pk, "email", "sent")]


def test_where_every_way_fails_staff_read_so(verified, front_desk, patient, grant, refused):
    eva = factories.make_proxy(patient, given_name="Eva", basis="legal")
    grant()
    for _ in range(3):
        reminders.send_due()

    assert ways() == [(None, "email", "failed"), (eva.pk, "email", "failed")]
    page = verified(front_desk).get(f"/patients/{patient.pk}/proxies/").content.decode()
    assert "No message could tell the patient of this: tell them yourself. (The provider refused it)" in page


def test_what_perhaps_went_out_is_for_staff_to_ask(verified, front_desk, patient, grant):
    grant()
    now = timezone.now()
    rows().update(state="unknown", reason="no-answer", dispatched_at=now)

    page = verified(front_desk).get(f"/patients/{patient.pk}/proxies/").content.decode()
    assert "The message about this may not have reached the patient: ask them." in page


def test_in_the_admin_they_are_warned_too(verified, clinic_admin, nowhere, grant):
    ana, client = grant(), verified(clinic_admin)
    pages = "/admin/accounts/relatedperson/"
    words = "Ana Ruiz: No message could tell the patient of this: tell them yourself. (No address on file)"

    assert words in client.post(f"{pages}{ana.pk}/change/", TYPED | {"reads": "on"}, follow=True).content.decode()
    ended = {"action": "end_now", "_selected_action": [ana.pk], "confirmed": "yes"}
    assert words in client.post(pages, ended, follow=True).content.decode()


def test_in_the_admin_nobody_is_warned_where_the_patient_is_told(verified, clinic_admin, grant):
    ana = grant()
    page = f"/admin/accounts/relatedperson/{ana.pk}/change/"

    answer = verified(clinic_admin).post(page, TYPED | {"reads": "on"}, follow=True)
    assert "Ana Ruiz:" not in answer.content.decode()
    assert rows().count() == 2


# --- what goes wrong ---------------------------------------------------------------------------------


def test_what_is_rolled_back_is_told_to_nobody(grant):
    with suppress(RuntimeError), transaction.atomic():
        grant()
        raise RuntimeError

    assert letters() == []
    assert not rows().exists()


def test_a_server_that_does_not_answer_is_asked_again_for_days_and_not_for_ever(settings, grant, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    grant()

    reminders.send_due()
    assert rows().get().state == "planned"
    reminders.send_due(timezone.now() + timedelta(days=3))

    assert rows().get().state == "suppressed"
    assert "@example.org" not in caplog.text


def test_the_database_refuses_a_message_that_says_of_nobody(patient):
    with pytest.raises(IntegrityError), transaction.atomic():
        Communication.objects.create(patient=patient, kind="grant", due_at=timezone.now())


# --- nobody lets themselves in -----------------------------------------------------------------------


def test_nobody_enters_themselves(verified, desk, front_desk, patient):
    client, typed = verified(front_desk), TYPED | {"email": front_desk.email.upper()}
    words = "This is your own e-mail address."

    answer = client.post(f"/patients/{patient.pk}/proxies/new/", typed)
    assert words in answer.content.decode()
    with pytest.raises(services.OwnGrant):
        services.grant(principal=desk, person=RelatedPerson(patient=patient, email=front_desk.email))
    assert not RelatedPerson.objects.exists()

    ana = factories.make_proxy(patient)
    assert words in client.post(f"/proxies/{ana.pk}/", typed).content.decode()
    ana.email = front_desk.email
    with pytest.raises(services.OwnGrant):
        services.change(principal=desk, person=ana)


def test_nobody_changes_their_own_by_moving_it_to_another_address(verified, desk, front_desk, patient):
    own = factories.make_proxy(patient, email=front_desk.email.title())
    words = "This was entered with your own e-mail address."

    for email in (ANA, front_desk.email):
        answer = verified(front_desk).post(f"/proxies/{own.pk}/", TYPED | {"email": email, "reads": "on"})
        assert words in answer.content.decode()
    moved = RelatedPerson.objects.get()
    moved.email, moved.reads = ANA, True
    with pytest.raises(services.OwnGrant):
        services.change(principal=desk, person=moved)
    assert RelatedPerson.objects.get().email == own.email


def test_a_colleague_enters_the_parent_who_works_here(verified, clinic_admin, front_desk, patient):
    verified(clinic_admin).post(f"/patients/{patient.pk}/proxies/new/", TYPED | {"email": front_desk.email})

    assert RelatedPerson.objects.get().email == front_desk.email


def test_the_admin_refuses_it_too(verified, clinic_admin, ana):
    page = f"/admin/accounts/relatedperson/{ana.pk}/change/"
    answer = verified(clinic_admin).post(page, TYPED | {"email": clinic_admin.email})

    assert "This is your own e-mail address." in answer.content.decode()
    ana.refresh_from_db()
    assert ana.email == ANA
