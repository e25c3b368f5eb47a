"""What an account opens: all visits of its patient at its clinic, through the door of links, and nothing else."""

import json
import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.http import Http404
from django.test import Client
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent, Session, User
from accounts.patients import services
from accounts.policy import Action, Role
from accounts.principal import Principal
from accounts.sessions.services import note_activity
from tests import factories
from tests.conftest import staff, verify
from tests.party import browser, make_account, make_link, sign_in
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.records.services import activity, erasure, holds
from visits.schedule.models import SchedulePolicy
from visits.summary.models import Composition

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(practitioner, patient, visit_type) -> Appointment:
    """Rosa's, two days ago."""
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(days=2)
    return factories.make_visit(
        practitioner, patient=patient, visit_type=visit_type, start=start, status=Appointment.Status.FULFILLED
    )


def test_the_list_has_all_visits_and_opens_each_without_a_link(rosa, visit, ended):
    page = rosa.get("/me/").content.decode()

    for one in (visit, ended):
        assert f"/my/{one.pk}/visit/" in page
        assert rosa.get(f"/my/{one.pk}/visit/").status_code == 200
    assert "Send me the link" not in page
    assert AccessLink.objects.count() == 0


def test_a_patient_without_visits_has_a_list_all_the_same(rosa):
    page = rosa.get("/me/").content.decode()

    assert "No visits booked." in page
    assert "My account" in page


PAGES = ("visit/", "move/", "cancel/", "looks/", "visit/calendar/", "record/", "earlier/", "feed/")


def test_the_pages_behind_a_link_are_the_accounts_pages(rosa, visit, clinic):
    answers = {page: rosa.get(f"/my/{visit.pk}/{page}").status_code for page in PAGES}
    answers |= {"check in": rosa.get(f"/my/{visit.pk}/").status_code}

    assert not {page for page, status in answers.items() if status >= 500 or status == 403}
    assert [answers[page] for page in ("visit/", "move/", "cancel/", "looks/", "visit/calendar/")] == [200] * 5


def test_cancelling_is_the_patients_deed(rosa, account, visit):
    SchedulePolicy.objects.create(clinic=visit.clinic, change_notice=0)
    rosa.post(f"/my/{visit.pk}/cancel/", {"reason": "better"})

    visit.refresh_from_db()
    assert visit.status == "cancelled"
    event = AuditEvent.objects.get(subtype="appointment.cancel")
    assert (event.user, event.role, event.link) == (account, "patient", None)
    change = visit.changes.get(change="cancelled")
    assert (change.role, change.by) == ("patient", None)


def test_the_clinics_notice_binds_who_is_signed_in(rosa, visit):
    hours = (visit.start - timezone.now()) // timedelta(hours=1) + 1
    SchedulePolicy.objects.create(clinic=visit.clinic, change_notice=hours)

    rosa.post(f"/my/{visit.pk}/cancel/", {"reason": "late"})

    visit.refresh_from_db()
    assert visit.status == "booked"


def test_what_patients_did_is_no_look_of_staff(rosa, visit):
    rosa.post(f"/my/{visit.pk}/cancel/", {"reason": "better"})

    assert "Cancelled a visit" not in rosa.get(f"/my/{visit.pk}/looks/").content.decode()


def test_the_summary_opens_without_a_link(rosa, ended, clinician):
    summary = Composition.objects.create(
        appointment=ended, status="final", language="en", author=clinician, author_name="Dr. Amara Okafor",
        what_to_do="Drink water.", published_at=timezone.now(),
    )  # fmt: skip

    assert "Drink water." in rosa.get(f"/my/{summary.pk}/summary/").content.decode()


# --- strangers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def others(visit, other_clinic) -> list[Appointment]:
    """Of another patient of the clinic, and of one of another clinic."""
    beside = factories.make_visit(visit.practitioner, visit_type=visit.visit_type)
    elsewhere = factories.make_visit(factories.make_practitioner(other_clinic))
    return [beside, elsewhere]


def test_anothers_visit_is_not_there(rosa, others):
    """Row 16 of the checklist: another patient's, another clinic's, and what does not exist are one answer."""
    for page in ("visit/", "move/", "cancel/", "looks/", "waiting/", "room/"):
        answers = {rosa.get(f"/my/{pk}/{page}").status_code for pk in (others[0].pk, others[1].pk, uuid.uuid4())}
        assert answers == {404}, page


def test_the_door_itself_refuses_anothers_visit_and_staffs_actions(account, visit, others):
    who = Principal(clinic=visit.clinic, role=Role.PATIENT, name="Rosa", account=account)

    assert appointment_for(who, visit.pk, Action.VISIT_SEE) == visit
    for one in others:
        with pytest.raises(Http404):
            appointment_for(who, one.pk, Action.VISIT_SEE)
    with pytest.raises(Http404):
        appointment_for(who, visit.pk, Action.VISIT_CHANGE)


def test_a_summary_of_another_patient_is_not_there(rosa, others, clinician):
    Appointment.objects.filter(pk=others[0].pk).update(status="fulfilled")
    summary = Composition.objects.create(
        appointment=others[0], status="final", language="en", author=clinician, author_name="Dr.",
        what_to_do="Rest.", published_at=timezone.now(),
    )  # fmt: skip

    assert rosa.get(f"/my/{summary.pk}/summary/").status_code == 404


def test_nobody_staff_guests_and_links_do_not_come_to_an_accounts_pages(account, visit, clinician):
    callers = [
        Client(), verify(Client(), clinician), browser(make_link(visit)), browser(make_link(visit, guest="Ines")),
    ]  # fmt: skip

    for client in callers:
        for page in ("/me/", "/me/account/", "/me/account/end/"):
            assert client.get(page)["Location"].startswith("/me/signin/")
            assert client.post(page).status_code in {403, 405}


def test_a_patient_comes_to_no_page_of_staff(account):
    """Row 7 of the checklist: nor with a second factor."""
    me = verify(Client(), account)

    for page in ("/today/", "/calendar/", "/admin/", "/book/"):
        assert me.get(page)["Location"].startswith(("/signin/", "/admin/login/")), page
    assert me.get("/password/").status_code == 404
    assert me.get("/")["Location"] == "/signin/"
    assert me.get("/signin/")["Location"] == "/me/"


def test_a_link_that_was_opened_goes_on_beside_the_account(account, others):
    """A mother who is signed in opens the link to her child's visit."""
    client = sign_in(account, browser(make_link(others[0])))

    assert client.get(f"/my/{others[0].pk}/visit/").status_code == 200
    assert str(others[0].pk) not in client.get("/me/").content.decode()


def test_a_patient_who_asks_for_a_page_of_staff_is_led_to_their_own(rosa):
    """And not to and fro between the two."""
    sent = rosa.get("/today/")["Location"]

    assert sent == "/signin/?next=%2Ftoday%2F"
    assert rosa.get(sent)["Location"] == "/me/"


def test_a_guest_who_has_an_account_lands_where_guests_do(account, others):
    """Ending a visit takes the guest's link back; the visit is none of the account's."""
    link = make_link(others[0], guest="Rosa")
    client = sign_in(account, browser(link))
    links.revoke(principal=None, link=link)

    assert client.get(f"/my/{others[0].pk}/left/").status_code == 200


@pytest.mark.parametrize("who", ["guest", "proxy"])
def test_who_came_as_somebody_else_and_has_an_account_needs_a_new_link_once_theirs_ended(who, account, others):
    """And is not told that the visit is not there."""
    as_who = {"guest": "Rosa"} if who == "guest" else {"proxy": factories.make_proxy(others[0].patient)}
    link = make_link(others[0], **as_who)
    client = sign_in(account, browser(link))
    links.revoke(principal=None, link=link)

    for page in ("", "waiting/", "room/"):
        assert client.get(f"/my/{others[0].pk}/{page}")["Location"] == "/link-needed/"
    assert client.get("/me/").status_code == 200


def test_a_link_of_ones_own_that_ended_keeps_nobody_from_their_account(account, visit):
    link = make_link(visit)
    client = sign_in(account, browser(link))
    links.revoke(principal=None, link=link)

    assert client.get(f"/my/{visit.pk}/visit/").status_code == 200


def test_a_form_that_comes_too_late_leads_to_the_patients_own_sign_in(account, rosa):
    Session.objects.filter(user=account).delete()

    assert 'href="/me/signin/"' in rosa.post("/me/account/end/").content.decode()


# --- the end ----------------------------------------------------------------------------------------------------------


def by_the_patient(account: User, client: Client) -> None:
    client.post("/me/account/end/")


def by_the_clinic(account: User, client: Client) -> None:
    desk = factories.make_member(account.patient.clinic, Role.FRONT_DESK)
    verify(Client(), desk).post(f"/patients/{account.patient.pk}/account/", {"do": "end", "account": account.pk})


def by_closing_the_record(account: User, client: Client) -> None:
    admin = factories.make_member(account.patient.clinic, Role.CLINIC_ADMIN)
    activity.deactivate(principal=staff(admin), patient=account.patient)


def by_erasing(account: User, client: Client) -> None:
    admin = factories.make_member(account.patient.clinic, Role.CLINIC_ADMIN)
    erasure.erase(principal=staff(admin), patient=account.patient)


ENDS = [by_the_patient, by_the_clinic, by_closing_the_record, by_erasing]


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_an_account_ends_its_sessions_and_factors(end, account, rosa):
    """Row 14 of the checklist: what ends a sign-in makes its cookie useless at once."""
    elsewhere = verify(Client(), account)

    end(account, elsewhere)

    account.refresh_from_db()
    assert not account.is_active
    assert not Session.objects.filter(user=account).exists()
    assert not account.totpdevice_set.exists()
    for client in (rosa, elsewhere):
        assert client.get("/me/")["Location"].startswith("/me/signin/")
    assert AuditEvent.objects.filter(subtype="account.end", patient=account.patient).count() == 1


def test_a_new_address_ends_what_the_old_one_opened(account, rosa, patient):
    patient.given_name = "Rosita"
    patient.save()
    assert rosa.get("/me/").status_code == 200

    patient.email = "new@example.org"
    patient.save()

    assert rosa.get("/me/").status_code == 302


def test_an_order_to_keep_the_record_leaves_the_account(account, rosa, clinic_admin):

    holds.place(principal=staff(clinic_admin), patient=account.patient, reason="Case 12")

    assert rosa.get("/me/").status_code == 200


def test_sessions_last_as_long_as_patients_may(account, rosa, settings):
    """Row 9 of the checklist: an hour without activity, a day in all."""
    rosa.get("/me/")
    row = Session.objects.get(user=account)
    Session.objects.filter(pk=row.pk).update(
        began_at=timezone.now() - timedelta(hours=23, minutes=50), seen_at=timezone.now() - timedelta(minutes=2)
    )
    row.refresh_from_db()
    note_activity(row)
    row.refresh_from_db()
    assert timedelta(minutes=9) < row.expires_at - timezone.now() <= timedelta(minutes=10)

    Session.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert rosa.get("/me/")["Location"] == "/me/signin/?next=%2Fme%2F&ended=1"


def test_the_account_page_lists_sessions_and_ends_them(account, rosa):
    rosa.get("/me/")
    other = sign_in(account, Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0"))
    other.get("/me/")
    page = rosa.get("/me/account/").content.decode()
    assert page.count("Signed in") >= 2

    rosa.post("/sessions/end-others/")

    assert other.get("/me/").status_code == 302
    assert rosa.get("/me/").status_code == 200
    assert rosa.post("/signout/")["Location"] == "/me/signin/"
    assert rosa.get("/me/").status_code == 302


# --- the desk ---------------------------------------------------------------------------------------------------------


def test_the_desk_takes_a_lost_phone_away_after_checking_who_asks(account, front_desk):
    verify(Client(), account)
    desk, page = verify(Client(), front_desk), f"/patients/{account.patient.pk}/account/"

    refused = desk.post(page, {"do": "reset", "account": account.pk})
    assert "Say how you made sure who asks." in refused.content.decode()
    assert account.totpdevice_set.exists()
    done = desk.post(page, {"do": "reset", "check": "call-back", "account": account.pk}, follow=True)

    assert done.content.decode().count("The second factor is taken away") == 1
    assert not account.totpdevice_set.exists()
    event = AuditEvent.objects.get(subtype="mfa.reset")
    assert (event.user, event.patient, event.detail["check"]) == (front_desk, account.patient, "call-back")


@pytest.mark.parametrize("who", ["clinician", "auditor", "stranger"])
def test_others_do_not_see_to_accounts(who, account, request):
    client = verify(Client(), request.getfixturevalue(who))

    answer = client.post(f"/patients/{account.patient.pk}/account/", {"do": "end", "account": account.pk})

    assert answer.status_code in {403, 404}
    account.refresh_from_db()
    assert account.is_active


def test_another_clinics_desk_finds_nobody(account, other_clinic):
    client = verify(Client(), factories.make_member(other_clinic, Role.FRONT_DESK))

    assert client.get(f"/patients/{account.patient.pk}/account/").status_code == 404


def test_no_address_is_plain_in_the_tables(account, rosa, patient, visit):
    """Row 4 of the checklist: a dump holds no address of who has an account, asks for a code, or tries one."""

    Client().post("/me/signin/", {"email": "rosa@example.org"})
    services.end_account(patient, why="patient", principal=None)
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            rows = json.dumps(cursor.fetchall(), default=str)
            found += [model._meta.label] if "rosa@example.org" in rows else []

    assert found == []


def test_the_admin_of_users_does_not_list_patients(account, clinic_admin):
    root = factories.make_user(is_staff=True, is_superuser=True)

    assert str(account.pk) not in verify(Client(), root).get("/admin/accounts/user/").content.decode()
    assert not mail.outbox
    assert make_account(factories.make_patient(account.patient.clinic)).pk != account.pk
