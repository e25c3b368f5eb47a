"""The pages of staff on who acts for a patient, and a proxy's own way from the link to the visit."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from accounts.links.services import hash_token
from accounts.models import AccessLink, AuditEvent, RelatedPerson
from accounts.proxies.services import today_of
from tests import factories
from tests.conftest import staff
from tests.party import bearer, browser, make_link
from tests.room.conftest import admit
from visits.checkin.models import CheckIn, Consent
from visits.intake.models import QuestionnaireResponse
from visits.room import presence
from visits.room import services as room
from visits.room.state import shown_name

pytestmark = pytest.mark.django_db

TYPED = {
    "given_name": "Ana",
    "family_name": "Ruiz",
    "relationship": "MTH",
    "basis": "patient",
    "basis_note": "",
    "manages": "on",
    "joins": "on",
    "email": "ana@example.org",
    "phone": "",
    "language": "en",
    "messages": "both",
    "valid_from": "",
    "valid_until": "",
}


def people(patient):
    return f"/patients/{patient.pk}/proxies/"


def child(patient):
    patient.birth_date = timezone.localdate() - timedelta(days=9 * 365)
    patient.save()
    return patient


# --- staff -------------------------------------------------------------------------------------------


def test_the_front_desk_grants_changes_and_ends(verified, front_desk, patient):
    desk = verified(front_desk)

    answer = desk.post(f"{people(patient)}new/", TYPED, follow=True)
    assert "Ana Ruiz acts for Rosa Marín now." in answer.content.decode()
    ana = RelatedPerson.objects.get()
    assert (ana.granted_by, ana.valid_from, ana.reads) == (front_desk, today_of(patient), False)

    desk.post(f"/proxies/{ana.pk}/", TYPED | {"reads": "on"})
    ana = RelatedPerson.objects.get()
    assert ana.reads

    answer = desk.post(f"/proxies/{ana.pk}/end/", follow=True)
    assert "does not act for Rosa Marín any more" in answer.content.decode()
    assert RelatedPerson.objects.get().revoked_by == front_desk
    subtypes = AuditEvent.objects.filter(patient=patient, user=front_desk).values_list("subtype", flat=True)
    assert {"proxy.grant", "proxy.change", "proxy.end", "proxy.view"} <= set(subtypes)


def test_the_way_back_to_the_visit_is_kept_from_page_to_page(verified, front_desk, visit, patient):
    desk, here = verified(front_desk), f"{people(patient)}?visit={visit.pk}"
    back = f'href="/visits/{visit.pk}/"'
    assert f'href="{here}"' in desk.get(f"/visits/{visit.pk}/").content.decode()

    page = desk.get(here).content.decode()
    assert back in page
    assert f'href="{people(patient)}new/?visit={visit.pk}"' in page

    form = desk.get(f"{people(patient)}new/?visit={visit.pk}").content.decode()
    assert f'href="{here}"' in form
    assert desk.post(f"{people(patient)}new/?visit={visit.pk}", TYPED)["Location"] == here
    ana = RelatedPerson.objects.get()
    for address in (f"/proxies/{ana.pk}/", f"/proxies/{ana.pk}/end/"):
        assert f'"{address}?visit={visit.pk}"' in desk.get(here).content.decode()
        assert desk.post(f"{address}?visit={visit.pk}", TYPED)["Location"] == here


@pytest.mark.parametrize("asked", ["", "?visit=", "?visit=1", "?visit=/today/"])
def test_without_a_visit_there_is_no_way_back_to_one(verified, front_desk, patient, asked):
    assert "Visit record" not in verified(front_desk).get(people(patient) + asked).content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"given_name": ""}, "Enter the first name."),
        ({"email": ""}, "Enter an e-mail address or a phone number"),
        ({"phone": "12"}, "Check the phone number"),
        ({"manages": "", "joins": ""}, "Choose at least one thing that they may do."),
        ({"valid_from": "2026-05-02", "valid_until": "2026-05-01"}, "The last day is before the first."),
        ({"basis": "minor"}, "The patient is of age on March 14, 1997."),
        ({"basis": ""}, "Choose why they may act."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(verified, front_desk, patient, wrong, words):
    answer = verified(front_desk).post(f"{people(patient)}new/", TYPED | wrong)

    page = answer.content.decode()
    assert words in page
    assert "Ruiz" in page
    assert not RelatedPerson.objects.exists()


def test_the_same_person_twice_is_said_at_the_name(verified, front_desk, patient, ana):
    answer = verified(front_desk).post(f"{people(patient)}new/", TYPED)

    assert "This person acts for the patient already." in answer.content.decode()
    assert RelatedPerson.objects.count() == 1


def test_a_parents_grant_of_a_child_ends_before_the_birthday_and_staff_see_it_coming(
    verified, front_desk, visit, patient
):
    child(patient)
    desk = verified(front_desk)
    desk.post(f"{people(patient)}new/", TYPED | {"basis": "minor", "messages": "proxy"})
    ana = RelatedPerson.objects.get()

    assert ana.valid_until == patient.of_age_on - timedelta(days=1)
    page = desk.get(people(patient)).content.decode()
    assert "From then on nobody acts as a parent" in page

    soon = today_of(patient) + timedelta(days=12)
    patient.birth_date = soon.replace(year=soon.year - 18)
    patient.save()
    words = "is of age on"
    assert words in desk.get(f"/visits/{visit.pk}/").content.decode()
    assert "this ends by itself" in desk.get(people(patient)).content.decode()


@pytest.mark.parametrize(
    ("who", "status"),
    [("clinician", 403), ("auditor", 403), ("stranger", 403), ("strange_desk", 404), ("clinic_admin", 200)],
)
def test_who_may_not_grants_nothing(request, verified, other_clinic, patient, ana, who, status):
    is_strange = who == "strange_desk"
    user = factories.make_member(other_clinic, "front_desk") if is_strange else request.getfixturevalue(who)
    client = verified(user)

    answers = [client.get(f"{people(patient)}new/"), client.get(f"/proxies/{ana.pk}/")]
    answers += [client.post(f"{people(patient)}new/", TYPED | {"given_name": ""})]
    if status != 200:
        answers += [client.post(f"/proxies/{ana.pk}/", TYPED), client.post(f"/proxies/{ana.pk}/end/")]

    assert {answer.status_code for answer in answers} == {status}
    assert RelatedPerson.objects.get().revoked_at is None


def test_without_a_second_factor_nobody_sees_who_acts(client, password_only, front_desk, patient, ana):
    for browser_ in (client, password_only(front_desk)):
        answer = browser_.get(people(patient))
        assert answer.status_code == 302
        assert "Ruiz" not in answer.content.decode()


def test_the_admin_changes_and_ends_by_the_same_rules(verified, clinic_admin, patient, ana):
    admin = verified(clinic_admin)
    page = f"/admin/accounts/relatedperson/{ana.pk}/change/"
    typed = {name: value for name, value in TYPED.items() if value}

    assert "The patient is of age on" in admin.post(page, typed | {"basis": "minor"}).content.decode()
    admin.post(page, typed)
    ana.refresh_from_db()
    assert ana.reads is False
    admin.post(
        "/admin/accounts/relatedperson/", {"action": "end_now", "_selected_action": [ana.pk], "confirmed": "yes"}
    )

    assert RelatedPerson.objects.get().revoked_by == clinic_admin
    assert AuditEvent.objects.filter(subtype="proxy.end", user=clinic_admin).exists()
    assert admin.get("/admin/accounts/relatedperson/add/").status_code == 403


# --- the proxy ---------------------------------------------------------------------------------------


def token_of(link):
    AccessLink.objects.filter(pk=link.pk).update(token_hash=hash_token("token"))
    return "/v/token/"


def test_a_proxy_opens_the_link_with_the_patients_birth_date(client, visit, ana):
    path = token_of(make_link(visit, proxy=ana))

    page = client.get(path).content.decode()
    assert "You act for Rosa" in page
    assert "Birth date of Rosa" in page
    assert "does not match" in client.post(path, {"birth_date": "1/1/1950"}).content.decode()
    answer = client.post(path, {"birth_date": "3/14/1979"})

    assert answer["Location"] == f"/my/{visit.pk}/"
    page = client.get(f"/my/{visit.pk}/visit/").content.decode()
    assert "You act for Rosa." in page


def test_a_proxys_link_and_the_patients_are_two_people_in_one_browser(visit, ana):
    client = browser(make_link(visit))
    path = token_of(make_link(visit, proxy=ana))

    assert "Birth date of Rosa" in client.get(path).content.decode()


def test_a_proxy_checks_in_for_the_patient_and_joins_as_themselves(practitioner, patient, ana, clinician):
    visit = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(minutes=5))
    link = make_link(visit, proxy=ana)
    client = browser(link)
    facts = {"callback_phone": "5550100177", "location": "Home", "emergency_contact": "Luis", "agree": "on"}
    page = client.get(f"/my/{visit.pk}/details/")
    facts["text"] = page.context["text"].pk
    client.post(f"/my/{visit.pk}/details/", facts)
    assert Consent.objects.get().patient == visit.patient
    assert CheckIn.objects.get().location == "Home"
    client.post(f"/my/{visit.pk}/devices/", {"camera": "ok", "microphone": "ok"})
    client.get(f"/my/{visit.pk}/waiting/")
    visit.refresh_from_db()
    assert visit.status == "arrived"
    given = AuditEvent.objects.get(subtype="consent.give")
    assert (given.role, given.detail["acts_as"]) == ("proxy", str(ana.pk))

    visit.ticket.admitted_at, visit.ticket.admitted_by = timezone.now(), clinician
    visit.ticket.save()
    encounter = room.open_encounter(principal=staff(clinician), visit=visit)
    seat = room.seat_for(bearer(link), encounter)
    again = room.seat_for(bearer(make_link(visit, proxy=ana)), encounter)
    assert (seat.role, seat.name, again.pk) == ("proxy", "Ana Ruiz", seat.pk)
    assert shown_name(seat, staff(clinician)) == "Ana Ruiz, mother of Rosa"


PAGES = {
    "visit": "manages",
    "visits": "manages",
    "move": "manages",
    "cancel": "manages",
    "earlier": "manages",
    "details": "manages",
    "devices": "joins",
    "waiting": "joins",
    "looks": "reads",
}


@pytest.mark.parametrize("scope", ["manages", "joins", "reads"])
@pytest.mark.parametrize("page", PAGES)
def test_each_page_asks_for_its_scope(visit, page, scope):
    """The scope matrix: page by scope."""
    granted = dict.fromkeys(("manages", "joins", "reads"), False) | {scope: True}
    who = factories.make_proxy(visit.patient, **granted)
    answer = browser(make_link(visit, proxy=who)).get(f"/my/{visit.pk}/{page}/")

    assert (answer.status_code != 404) == (PAGES[page] == scope), answer.status_code


def test_no_proxy_has_a_calendar_feed_that_would_outlive_the_grant(visit, ana):
    assert browser(make_link(visit, proxy=ana)).post(f"/my/{visit.pk}/feed/", {"do": "renew"}).status_code == 404


def test_answers_of_a_teenager_are_not_shown_to_who_may_not_read_them(visit, visit_type):
    """Row 31 of the checklist: what a teenager answered stays theirs unless it is granted."""
    questionnaire = factories.make_questionnaire(visit_type)
    QuestionnaireResponse.objects.create(
        appointment=visit, questionnaire=questionnaire, status="in-progress", answers='{"x": "Zzsecret"}'
    )
    blind = factories.make_proxy(visit.patient, reads=False)
    client = browser(make_link(visit, proxy=blind))

    answer = client.get(f"/my/{visit.pk}/questions/")
    assert answer["Location"] == f"/my/{visit.pk}/"
    assert client.post(f"/my/{visit.pk}/questions/", {"shown": questionnaire.fingerprint()}).status_code == 302
    assert QuestionnaireResponse.objects.get().answers == '{"x": "Zzsecret"}'


def test_a_grant_that_ended_opens_no_page(visit, ana):
    client = browser(make_link(visit, proxy=ana))
    assert client.get(f"/my/{visit.pk}/visit/").status_code == 200

    RelatedPerson.objects.filter(pk=ana.pk).update(valid_until=date(2020, 1, 2))

    assert client.get(f"/my/{visit.pk}/visit/")["Location"] == "/link-needed/"


def test_a_patient_called_off_for_no_show_came_by_their_proxy(visit, ana, clinician):
    admit(visit, clinician)
    encounter = room.open_encounter(principal=staff(clinician), visit=visit)
    seat = room.seat_for(bearer(make_link(visit, proxy=ana)), encounter)
    presence.connected(seat=seat.pk, epoch=seat.epoch)

    assert presence.patient_came(visit)


def test_the_admins_list_speaks_the_language_of_who_reads_it(verified, clinic_admin, ana):
    clinic_admin.language = "es"
    clinic_admin.save()
    page = verified(clinic_admin).get("/admin/accounts/relatedperson/").content.decode()

    assert "Relationship label" not in page
    assert "Full name" not in page
    assert all(f">{words}</a>" in page for words in ("Sí", "No"))  # whether it was ended
