"""What a clinic says in its messages besides what each of them must say."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Clinic, Practitioner, User
from tests import factories
from tests.conftest import verify
from tests.reminders.conftest import announce
from tests.reminders.test_letters import body
from tests.threads import at_once
from visits.booking.models import Appointment
from visits.reminders import letters, services, texts
from visits.reminders.admin import MessageTemplateAdmin
from visits.reminders.models import Communication, MessageTemplate
from visits.reminders.models.template import KINDS

Kind = Communication.Kind
ADD = reverse("admin:reminders_messagetemplate_add")
LIST = reverse("admin:reminders_messagetemplate_changelist")
LOOK = reverse("admin:reminders_messagetemplate_preview")
ALL = reverse("admin:reminders_communication_preview")
WORDS = "Have your medicines & their names at hand.\nWe are at <b>the lake</b>."


@pytest.fixture
def admin_client(clinic_admin: User, client: Client) -> Client:
    return verify(client, clinic_admin)


def make(clinic: Clinic, kind: str = Kind.CONFIRMATION, **fields: Any) -> MessageTemplate:
    return MessageTemplate.objects.create(
        **{"clinic": clinic, "kind": kind, "language": "en", "mail_words": WORDS} | fields
    )


def typed(clinic: Clinic, **fields: str) -> dict[str, str]:
    given = {"kind": "confirmation", "language": "en", "mail_words": "Bring tea.", "text_words": ""}
    return {"clinic": str(clinic.pk)} | given | fields


def test_the_words_are_in_the_mail_as_they_were_typed(visit: Appointment, clinic: Clinic, mail_server: Any) -> None:
    make(clinic)
    make(clinic, language="es", mail_words="Tenga sus medicinas a mano.")
    make(clinic, Kind.CANCELLATION, mail_words="Get well.")
    make(factories.make_clinic(name="Elsewhere", slug="elsewhere"), mail_words="Not ours.")
    announce(visit, "booked")

    services.send_due()

    [mail] = [one for one in mail_server.arrived if "is booked" in str(one["Subject"])]
    assert WORDS in body(mail, "plain").replace("\r\n", "\n")
    assert "medicines &amp; their names at hand.<br>We are at &lt;b&gt;the lake&lt;/b&gt;." in body(mail, "html")
    for other in ("medicinas", "Get well", "Not ours"):
        assert other not in body(mail, "plain")


def test_they_are_in_the_language_of_who_gets_it(visit: Appointment, clinic: Clinic, mail_server: Any) -> None:
    make(clinic)
    make(clinic, language="es", mail_words="Tenga sus medicinas a mano.")
    visit.patient.language = "es"
    visit.patient.save()
    announce(visit, "booked")

    services.send_due()

    said = [body(mail, "plain") for mail in mail_server.arrived]
    assert len([text for text in said if "Tenga sus medicinas a mano." in text]) == 1
    assert not [text for text in said if "medicines" in text]


def test_the_text_message_has_its_own(visit: Appointment, clinic: Clinic) -> None:
    make(clinic, text_words="Tenga agua a mano: señal…")
    message = Communication(
        appointment=visit, patient=visit.patient, kind=Kind.CONFIRMATION, channel="sms", due_at=visit.start
    )

    text = texts.compose(message, link="https://x/v/1", now=visit.start)

    assert " Tenga agua a mano: señal... https://x/v/1 " in text, "in the network's alphabet, too"
    assert "medicines" not in text


def test_what_is_said_of_a_delay_is_not_said_when_it_is_over(visit: Appointment, clinic: Clinic) -> None:
    make(clinic, Kind.RUNNING_LATE, mail_words="Take your time.")
    message = Communication(appointment=visit, patient=visit.patient, kind=Kind.RUNNING_LATE, due_at=visit.start)

    said = {}
    for minutes in (20, 0):
        message.details = {"minutes": minutes}
        said[minutes] = str(letters.compose(message, link="", now=visit.start).body)

    assert "Take your time." in said[20]
    assert "Take your time." not in said[0]


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_every_kind_shows_them(practitioner: Practitioner, admin_client: Client, kind: str) -> None:
    make(practitioner.clinic, kind, mail_words="Bring tea.")

    page = admin_client.get(ALL, {"language": "en"}).content.decode()
    mail = admin_client.get(reverse("admin:reminders_communication_preview_mail"), {"language": "en", "kind": kind})

    assert page.count("Bring tea.") == 1
    assert page.count("Change your own words") == 1
    assert page.count("Add words of your own") == len(KINDS) - 1
    assert mail.content.decode().count("Bring tea.") == 1


def test_an_admin_writes_them_and_the_trail_has_them(admin_client: Client, clinic: Clinic) -> None:
    page = admin_client.get(ADD, {"kind": "missed", "language": "es"}).content.decode()
    assert '<option value="missed" selected>' in page
    assert '<option value="es" selected>' in page

    assert admin_client.post(ADD, typed(clinic)).status_code == 302

    own = MessageTemplate.objects.get()
    assert (own.clinic, own.kind, own.language, own.mail_words) == (clinic, "confirmation", "en", "Bring tea.")
    event = AuditEvent.objects.get(subtype="admin.add", entity_type="MessageTemplate")
    assert (event.detail["kind"], event.detail["language"]) == ("confirmation", "en")
    assert "tea" not in str(event.detail), "the trail has no words of people"
    change = reverse("admin:reminders_messagetemplate_change", args=[own.pk])
    assert admin_client.post(change, {"mail_words": "", "text_words": "Bring tea."}).status_code == 302
    own.refresh_from_db()
    assert (own.mail_words, own.text_words, own.kind) == ("", "Bring tea.", "confirmation")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mail_words": "See https://evil.example/"}, "Leave web addresses out"),
        ({"mail_words": "See WWW.evil.example"}, "Leave web addresses out"),
        ({"mail_words": "See evil.org/here."}, "Leave web addresses out"),
        ({"text_words": "ftp://evil.example/"}, "Leave web addresses out"),
        ({"text_words": "Look: bit.ly/x."}, "such as “bit.ly/x.”"),
        ({"mail_words": "Pay at pay.clinic.health"}, "such as “pay.clinic.health”"),
        ({"text_words": "See http://evil.example/"}, "Leave web addresses out"),
        ({"mail_words": "x" * 601}, "at most 600 characters"),
        ({"text_words": "x" * 71}, "at most 70 characters"),
        ({"mail_words": "", "text_words": ""}, "Write something for the e-mail or for the text message."),
        ({"kind": "missed", "text_words": "Bring tea."}, "This message is never sent as a text message."),
        ({"kind": "grant"}, "Select a valid choice"),
    ],
)
def test_what_will_not_do_is_said_and_what_was_typed_is_kept(
    admin_client: Client, practitioner: Practitioner, fields: dict[str, str], words: str
) -> None:
    answer = admin_client.post(ADD, typed(practitioner.clinic, **fields))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert words in page
    assert all(value in page for name, value in fields.items() if name.endswith("words"))
    assert not MessageTemplate.objects.exists()


def test_an_address_to_write_to_and_times_of_day_will_do(admin_client: Client, clinic: Clinic) -> None:
    words = "Ask desk@riverside.org, from 8 a.m. to 5.30 p.m., e.g. by St. Mary's."

    assert admin_client.post(ADD, typed(clinic, mail_words=words)).status_code == 302


def test_a_message_has_words_once_in_a_language(admin_client: Client, clinic: Clinic) -> None:
    make(clinic)

    page = admin_client.post(ADD, typed(clinic)).content.decode()

    assert "There are words for this message in this language already." in page
    assert MessageTemplate.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "grant"}, {"kind": "reminder", "mail_words": "", "text_words": ""}],
    ids=["twice", "grant", "empty"],
)
def test_the_database_refuses_it_below_the_forms(clinic: Clinic, fields: dict[str, str]) -> None:
    make(clinic)

    with pytest.raises(IntegrityError), transaction.atomic():
        make(clinic, **fields)


def test_the_look_shows_what_is_not_saved(admin_client: Client, practitioner: Practitioner) -> None:
    clinic = practitioner.clinic
    mail = admin_client.post(LOOK, typed(clinic, **{"as": "mail"}))
    text = admin_client.post(LOOK, typed(clinic, text_words="Bring tea, too.", **{"as": "text"}))
    wrong = admin_client.post(LOOK, typed(clinic, mail_words="www.evil.example", **{"as": "mail"}))
    never = admin_client.post(LOOK, typed(clinic, kind="missed", **{"as": "text"}))

    assert "Bring tea." in mail.content.decode()
    assert "sandbox" in mail["Content-Security-Policy"]
    assert "Bring tea, too." in text.content.decode()
    assert "parts" in text.content.decode()
    assert "Leave web addresses out" in wrong.content.decode()
    assert "never sent as a text message" in never.content.decode()
    assert not MessageTemplate.objects.exists()


def test_the_look_of_a_row_is_of_its_own_message(admin_client: Client, clinic: Clinic, other_clinic: Clinic) -> None:
    own, theirs = make(clinic, Kind.SUMMARY), make(other_clinic, Kind.MISSED, mail_words="A secret of theirs.")
    words = {"mail_words": "Bring tea.", "text_words": "", "as": "mail"}

    look = admin_client.post(LOOK, {"template": str(own.pk), **words}).content.decode()
    foreign = admin_client.post(LOOK, {"template": str(theirs.pk), **words}).content.decode()

    assert "The summary of your visit is ready" in look
    assert "Bring tea." in look
    assert "We missed you" not in foreign
    assert admin_client.post(LOOK, {"template": "x", **words}).status_code == 200
    assert admin_client.get(LOOK).status_code == 405
    own.refresh_from_db()
    assert own.mail_words == WORDS


def test_an_offer_cannot_be_shown_before_there_is_a_clinician(admin_client: Client, clinic: Clinic) -> None:
    look = admin_client.post(LOOK, typed(clinic, kind="offer", **{"as": "mail"})).content.decode()

    assert "There is no clinician yet" in look
    assert admin_client.post(ADD, typed(clinic, kind="offer")).status_code == 302


def test_another_clinics_words_are_not_to_be_found(admin_client: Client, other_clinic: Clinic) -> None:
    theirs = make(other_clinic, mail_words="A secret of theirs.")

    assert "A secret of theirs." not in admin_client.get(LIST).content.decode()
    change = reverse("admin:reminders_messagetemplate_change", args=[theirs.pk])
    assert admin_client.get(change).status_code == 302
    assert admin_client.post(ADD, typed(other_clinic)).status_code == 200
    assert MessageTemplate.objects.get() == theirs


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor"])
def test_they_are_the_clinic_admins_alone(request: pytest.FixtureRequest, who: str, clinic: Clinic) -> None:
    browser = verify(Client(), request.getfixturevalue(who))

    for answer in (browser.get(ADD), browser.post(ADD, typed(clinic)), browser.post(LOOK, typed(clinic))):
        assert answer.status_code in {302, 403}
    assert not MessageTemplate.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_save_the_same_at_once_one_does_and_the_others_are_told(
    clinic: Clinic, clinic_admin: User
) -> None:
    browsers = [verify(Client(), clinic_admin) for _ in range(8)]

    answers = at_once([lambda one=one: one.post(ADD, typed(clinic)) for one in browsers])  # type: ignore[misc]

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [302]
    for answer in answers:
        if answer.status_code == 200:
            page = answer.content.decode()
            assert "There are words for this message in this language already." in page
            assert "Bring tea." in page
    assert AuditEvent.objects.filter(subtype="admin.add").count() == 1


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_database_refuses_is_tried_once_more(
    clinic: Clinic, admin_client: Client, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    tries: list[MessageTemplate] = []
    save = MessageTemplateAdmin.save_model

    def refused(self: Any, request: Any, obj: MessageTemplate, form: Any, change: bool) -> None:
        tries.append(obj)
        if len(tries) <= times:
            raise IntegrityError
        save(self, request, obj, form, change)

    monkeypatch.setattr(MessageTemplateAdmin, "save_model", refused)
    if times == 2:
        with pytest.raises(IntegrityError):
            admin_client.post(ADD, typed(clinic))
    else:
        assert admin_client.post(ADD, typed(clinic)).status_code == 302

    assert len(tries) == 2
    assert MessageTemplate.objects.count() == 2 - times
