"""A link that staff have seen, in the hands of staff, and in the patient's: what was written before it does not open.

As the front desk and a clinician who treats nobody would try it: they make the link for the patient, know the birth
date, and open it in a browser of their own.
"""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink
from accounts.policy import Action, Role
from accounts.principal import principal_of
from tests import factories
from tests.checkin.test_services import agree
from tests.intake.conftest import ANSWERS, TYPED, respond
from tests.party import bearer, browser, make_account, make_link, sign_in
from visits.checkin import services as checkin
from visits.checkin.models import CheckIn, ConsentText
from visits.intake import services
from visits.intake.services import Status
from visits.reminders.models import Communication

pytestmark = pytest.mark.django_db

SENTENCE = "For your privacy, what you wrote before opens only by the link that we send to your e-mail or phone."
DETAILS = {
    "callback_phone": "(512) 555-0190",
    "location": "12 Elm Street, Austin",
    "emergency_contact": "Luis, 512 555 0199",
}
CLOSED = ("online:visits", "online:looks", "records:ask", "reminders:own-ways", "calendar:own-feed", "accounts:claim")
WRITTEN = (DETAILS["location"], DETAILS["emergency_contact"], "My knee.")


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def visit(practitioner, patient, visit_type):
    return factories.make_visit(
        practitioner, patient=patient, visit_type=visit_type, start=timezone.now() + timedelta(minutes=10)
    )


@pytest.fixture(params=[Role.FRONT_DESK, Role.CLINICIAN])
def by_hand(request, visit, verified) -> Client:
    """Somebody of the clinic who does not treat the patient, with the link that they made."""
    return hand_out(visit, verified(factories.make_member(visit.clinic, request.param)))


def get_ready(principal: Any, visit: Any) -> None:
    checkin.save_details(principal=principal, visit=visit, **DETAILS)
    agree(principal, visit)


def hand_out(visit: Any, at_desk: Client, client: Client | None = None) -> Client:
    page = at_desk.post(reverse("waiting:link", args=[visit.pk])).content.decode()
    found = re.search(r'id="url" readonly value="[^"]*(/v/[^"]+/)"', page)
    assert found is not None
    client = client or Client()
    assert client.post(found[1], {"birth_date": f"{visit.patient.birth_date:%Y-%m-%d}"}).status_code == 302
    return client


def url(visit: Any, name: str) -> str:
    return reverse(name, args=[visit.pk])


def text_of(client: Client, visit: Any, name: str, *, follow: bool = True) -> str:
    return client.get(url(visit, name), follow=follow).content.decode()


def test_staff_read_nothing_by_the_link_that_they_made(by_hand, visit, as_patient, questionnaire):
    """Row 16 of the checklist: what their role keeps from them, they do not reach as the patient."""
    get_ready(as_patient, visit)
    respond(as_patient, visit, ANSWERS)

    shown = "".join(
        text_of(by_hand, visit, name)
        for name in ("checkin:start", "checkin:details", "intake:questions", "checkin:devices", "waiting:room",
                     "online:visit", "online:booked", "online:cancel", "online:move", "waitlist:mine", *CLOSED)
    )  # fmt: skip

    assert not [words for words in WRITTEN if words in shown]
    assert visit.patient.email not in shown


@pytest.mark.parametrize("name", CLOSED)
def test_what_takes_ones_own_link_says_so_and_offers_it(by_hand, visit, name):
    for answer in (by_hand.get(url(visit, name)), by_hand.post(url(visit, name))):
        assert answer.status_code in {403, 405}
    page = by_hand.get(url(visit, name)).content.decode()

    assert SENTENCE in page
    assert "Send me the link" in page


def test_the_summary_and_others_links_are_not_to_be_had(by_hand, visit, practitioner):
    other = factories.make_visit(practitioner, patient=visit.patient, start=timezone.now() + timedelta(days=2))
    for name in ("online:send-link", "summary:send-link"):
        assert by_hand.post(reverse(name, args=[visit.pk, other.pk])).status_code == 403
    assert not Communication.objects.filter(appointment=other, details__asked=True).exists()


def test_answers_begun_elsewhere_are_neither_shown_nor_overwritten(by_hand, visit, as_patient, questionnaire):
    get_ready(as_patient, visit)
    respond(as_patient, visit, {"concern": "My knee."}, Status.IN_PROGRESS)

    assert by_hand.get(url(visit, "checkin:start")).url == url(visit, "checkin:devices")
    asked = by_hand.post(url(visit, "intake:questions"), TYPED | {"shown": questionnaire.fingerprint()})

    assert asked.url == url(visit, "checkin:start")
    assert services.answers_in(services.response_to(visit)) == {"concern": "My knee."}


def test_what_was_written_for_a_visit_before_is_not_carried_over(by_hand, visit, practitioner):
    before = factories.make_visit(practitioner, patient=visit.patient, start=timezone.now() - timedelta(days=7))
    CheckIn.objects.create(appointment=before, details_at=timezone.now(), **DETAILS)

    page = text_of(by_hand, visit, "checkin:details")

    assert not [words for words in WRITTEN if words in page]
    assert SENTENCE in page
    assert visit.patient.phone in page  # which staff have on file


def test_at_the_desk_the_whole_way_into_the_line_works(by_hand, visit, questionnaire):
    """A patient who has written nothing yet, with the link on their phone: so nothing is said of that."""
    details = text_of(by_hand, visit, "checkin:start")
    assert "Is this still right?" in details
    assert SENTENCE not in details
    text = ConsentText.objects.get(clinic=visit.clinic, language="en")

    after = by_hand.post(url(visit, "checkin:details"), DETAILS | {"agree": "on", "text": text.pk}, follow=True)
    questions = after.content.decode()
    assert "Save and go on later" not in questions  # which would not open here again
    after = by_hand.post(url(visit, "intake:questions"), TYPED | {"shown": questionnaire.fingerprint()}, follow=True)
    assert after.redirect_chain[-1][0] == url(visit, "checkin:devices")
    by_hand.post(url(visit, "checkin:devices"), {"camera": "ok", "microphone": "ok"})

    assert "You are next" in text_of(by_hand, visit, "waiting:room")
    assert services.answers_in(services.response_to(visit)) == ANSWERS


def test_what_is_wrong_with_ones_words_is_said_beside_them(by_hand, visit, questionnaire, as_patient):
    get_ready(as_patient, visit)
    sent = TYPED | {"shown": questionnaire.fingerprint(), "q-pain": "much"}
    page = by_hand.post(url(visit, "intake:questions"), sent).content.decode()

    assert "It hurts at night." in page
    assert 'value="much"' in page


def test_the_link_goes_to_the_address_on_file_and_opens_everything(by_hand, visit, as_patient, questionnaire):
    get_ready(as_patient, visit)
    respond(as_patient, visit, ANSWERS)

    answer = by_hand.post(reverse("online:send-link", args=[visit.pk, visit.pk]), follow=True)
    assert "The link is on its way." in answer.content.decode()
    assert Communication.objects.filter(appointment=visit, kind="confirmation", details__asked=True).exists()

    sent = links.issue(
        kind=AccessLink.Kind.PATIENT, clinic=visit.clinic, resource_id=visit.pk, patient=visit.patient,
        expires_at=visit.end,
    )[1]  # fmt: skip
    path = sent[sent.index("/v/") :]
    assert by_hand.get(path).status_code == 200  # the birth date once more
    by_hand.post(path, {"birth_date": f"{visit.patient.birth_date:%Y-%m-%d}"})
    assert "My knee." in text_of(by_hand, visit, "intake:questions")
    assert DETAILS["location"] in text_of(by_hand, visit, "checkin:details")
    assert SENTENCE not in text_of(by_hand, visit, "online:visit")


def test_whom_no_message_reaches_is_asked_for_an_address(visit, verified, front_desk):
    visit.patient.email = ""
    visit.patient.save()
    page = text_of(hand_out(visit, verified(front_desk)), visit, "online:visit")

    assert "Send me the link" not in page
    assert "We have no address that reaches you." in page


def test_patients_by_sent_links_see_no_change(visit, patient_client, as_patient, questionnaire, verified, front_desk):
    get_ready(as_patient, visit)
    respond(as_patient, visit, ANSWERS)

    def is_whole() -> bool:
        pages = [text_of(patient_client, visit, name) for name in ("intake:questions", "checkin:details", *CLOSED)]
        return all(words in "".join(pages) for words in WRITTEN) and not any(SENTENCE in page for page in pages)

    assert is_whole()
    # A browser that has the sent one loses nothing by opening the other.
    page = verified(front_desk).post(reverse("waiting:link", args=[visit.pk])).content.decode()
    path = re.search(r"/v/[\w-]+/", page)
    assert path is not None
    assert patient_client.get(path[0]).url == url(visit, "checkin:start")
    assert is_whole()


def test_who_is_signed_in_sees_their_own_by_whatever_link(visit, as_patient, questionnaire, verified, front_desk):
    get_ready(as_patient, visit)
    respond(as_patient, visit, ANSWERS)
    client = hand_out(visit, verified(front_desk), sign_in(make_account(visit.patient)))
    assert "My knee." in text_of(client, visit, "intake:questions")

    other = factories.make_patient(visit.clinic, email="other@example.org")
    client = hand_out(visit, verified(front_desk), sign_in(make_account(other)))
    assert "My knee." not in text_of(client, visit, "intake:questions")


def test_who_acts_for_a_patient_is_held_to_the_same_and_guests_to_theirs(visit, front_desk, as_patient):
    get_ready(as_patient, visit)
    proxy = factories.make_proxy(visit.patient)
    sent, seen = make_link(visit, proxy=proxy), make_link(visit, proxy=proxy, handed_out_by=front_desk)

    assert DETAILS["location"] in text_of(browser(sent), visit, "checkin:details")
    assert DETAILS["location"] not in text_of(browser(seen), visit, "checkin:details")
    assert browser(seen).get(url(visit, "online:visits")).status_code == 403

    guest = bearer(make_link(visit, guest="Ines Ruiz", handed_out_by=front_desk))
    assert not guest.is_handed_out
    assert [action for action in Action if guest.may(action)] == [
        action for action in Action if bearer(make_link(visit, guest="Ines Ruiz")).may(action)
    ]


def test_below_the_pages_the_services_refuse_it_too(visit, front_desk, as_patient, questionnaire):
    get_ready(as_patient, visit)
    respond(as_patient, visit, ANSWERS)
    seen = principal_of(make_link(visit, handed_out_by=front_desk))

    with pytest.raises(services.AnswersClosed):
        services.answer(
            principal=seen, visit=visit, shown=questionnaire.fingerprint(), answers={}, status=Status.COMPLETED
        )
    assert checkin.is_ready(visit, seen)
