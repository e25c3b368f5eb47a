"""The account of who acts for a patient: the same as a patient's, for as long as the grant lets them see visits."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction
from django.http import Http404
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from accounts.models import AuditEvent, Patient, PatientCode, RelatedPerson, Session, User
from accounts.patients import services
from accounts.patients.codes import accounts_at
from accounts.policy import Action, Role
from accounts.principal import Principal
from accounts.proxies import services as proxies
from tests import factories
from tests.conftest import staff, verify
from tests.live.sockets import Socket
from tests.live.test_sessions import WITHIN
from tests.party import bearer, browser, make_account, make_link, sign_in
from tests.patients.conftest import BORN, ask_for_code, code_sent, type_code
from visits.booking.access import appointment_for
from visits.records.parts import NOBODY
from visits.records.services import activity, erasure
from visits.room.models import Encounter, Seat
from visits.room.services import seat_for
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.django_db

ANA = "ana@example.org"


@pytest.fixture
def ana(patient: Patient, front_desk: User) -> RelatedPerson:
    """Rosa's mother."""
    return factories.make_proxy(patient, given_name="Ana", family_name="Ruiz", email=ANA, granted_by=front_desk)


@pytest.fixture
def anas(ana: RelatedPerson) -> User:
    """Her account."""
    return make_account(ana)


@pytest.fixture
def as_ana(anas: User) -> Client:
    """Signed in."""
    return sign_in(anas)


def narrow(ana: RelatedPerson, **fields: object) -> None:
    RelatedPerson.objects.filter(pk=ana.pk).update(**fields)


# --- claiming, signing in ---------------------------------------------------------------------------------------------


def test_who_acts_for_a_patient_claims_an_account_behind_their_link(visit, ana, patient):
    page, by_link = f"/my/{visit.pk}/account/", browser(make_link(visit, proxy=ana))
    assert page in by_link.get(f"/my/{visit.pk}/visit/").content.decode()
    by_link.post(page)

    answer = by_link.post(f"{page}code/", {"code": code_sent()})

    assert answer["Location"] == "/me/"
    account = User.objects.get(related_person=ana)
    assert (account.patient, account.email, account.name, account.has_usable_password()) == (None, "", "", False)
    event = AuditEvent.objects.get(subtype="account.claim")
    assert (event.patient, event.role, event.entity_id) == (patient, "proxy", str(account.pk))
    assert event.detail["acts_as"] == str(ana.pk)
    assert f"/my/{visit.pk}/visit/" in by_link.get("/me/").content.decode()


def test_the_code_goes_to_their_own_address_and_opens_nothing_of_the_patients(visit, ana, patient, mailoutbox):
    page, by_link = f"/my/{visit.pk}/account/", browser(make_link(visit, proxy=ana))
    by_link.post(page)
    code = code_sent()
    assert mailoutbox[-1].to == [ANA]

    rosas = browser(make_link(visit))
    session = rosas.session
    session["patient_code"] = str(PatientCode.objects.get().pk)
    session.save()

    assert rosas.post(f"{page}code/", {"code": code})["Location"] == page
    assert not User.objects.filter(patient=patient).exists()


def test_their_address_and_the_patients_birth_date_sign_in(anas, visit, patient):
    client = ask_for_code(ANA)

    assert type_code(client, code_sent(), BORN)["Location"] == "/me/"
    assert str(visit.pk) in client.get("/me/").content.decode()
    event = AuditEvent.objects.get(subtype="user.signin")
    assert (event.user, event.patient, event.clinic) == (anas, patient, patient.clinic)
    assert "Ana Ruiz, mother of Rosa" in client.get("/me/account/").content.decode()


def test_a_parent_of_two_children_chooses_and_sees_the_visits_of_one(clinic, practitioner, visit_type):
    """Twins share the birth date, and their mother's address."""
    twins = [factories.make_patient(clinic, given_name=name) for name in ("Ines", "Olga")]
    visits = [factories.make_visit(practitioner, patient=one, visit_type=visit_type) for one in twins]
    accounts = [make_account(factories.make_proxy(one, email=ANA)) for one in twins]
    client = ask_for_code(ANA)
    assert type_code(client, code_sent())["Location"] == "/me/signin/which/"
    assert "mother of Ines" in client.get("/me/signin/which/").content.decode()

    assert client.post("/me/signin/which/", {"account": str(accounts[1].pk)})["Location"] == "/me/"

    page = client.get("/me/").content.decode()
    assert (str(visits[0].pk) in page, str(visits[1].pk) in page) == (False, True)
    assert client.get(f"/my/{visits[0].pk}/visit/").status_code == 404


@pytest.mark.parametrize("why", ["joins and reads alone", "no address", "not begun", "over", "record closed"])
def test_who_may_see_no_visits_claims_none(why, visit, ana, patient):
    client = browser(make_link(visit, proxy=ana))
    today = timezone.localdate()
    {
        "joins and reads alone": lambda: narrow(ana, manages=False),
        "no address": lambda: narrow(ana, email="", email_hash="", messages="patient"),
        "not begun": lambda: narrow(ana, valid_from=today + timedelta(days=2)),
        "over": lambda: narrow(ana, valid_until=today - timedelta(days=2)),
        "record closed": lambda: Patient.objects.filter(pk=patient.pk).update(deactivated_at=timezone.now()),
    }[why]()

    answers = [client.get(f"/my/{visit.pk}/account/"), client.post(f"/my/{visit.pk}/account/")]

    assert {answer.status_code for answer in answers} <= {302, 404}
    assert not PatientCode.objects.exists()


def test_the_database_keeps_the_three_kinds_of_accounts_apart(patient, ana):
    wrong = (
        {"related_person": ana, "patient": patient},
        {"related_person": ana, "email": ANA},
        {"related_person": ana, "name": "Ana"},
        {"related_person": ana, "is_staff": True},
        {"related_person": ana, "is_superuser": True},
    )
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        PatientCode.objects.create(
            email=ANA, language="en", expires_at=timezone.now(), patient=patient, related_person=ana
        )
    make_account(ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_account(ana)


# --- what it opens ----------------------------------------------------------------------------------------------------


def test_what_they_do_is_done_by_who_acts_for_the_patient(as_ana, anas, ana, visit):
    SchedulePolicy.objects.create(clinic=visit.clinic, change_notice=0)
    as_ana.post(f"/my/{visit.pk}/cancel/", {"reason": "better"})

    visit.refresh_from_db()
    assert visit.status == "cancelled"
    event = AuditEvent.objects.get(subtype="appointment.cancel")
    assert (event.user, event.role, event.link, event.detail["acts_as"]) == (anas, "proxy", None, str(ana.pk))


def test_scopes_bind_the_account_as_they_bind_the_link(anas, ana, visit):
    narrow(ana, reads=False, joins=False)
    client = sign_in(anas)

    assert client.get(f"/my/{visit.pk}/visit/").status_code == 200
    assert client.get(f"/my/{visit.pk}/looks/").status_code == 404
    assert client.get(f"/my/{visit.pk}/room/").status_code == 404
    assert client.get(f"/my/{visit.pk}/feed/").status_code == 404  # a feed would outlive the grant


def test_anothers_visit_is_not_there(as_ana, visit, other_clinic):
    """Row 16 of the checklist: nor of another patient, nor of another clinic, nor for staff's actions."""
    beside = factories.make_visit(visit.practitioner, visit_type=visit.visit_type)
    elsewhere = factories.make_visit(factories.make_practitioner(other_clinic))

    for one in (beside, elsewhere):
        for page in ("visit/", "move/", "cancel/", "looks/", "waiting/", "room/"):
            assert as_ana.get(f"/my/{one.pk}/{page}").status_code == 404


def test_the_door_itself_refuses_anothers_visit(anas, visit):
    beside = factories.make_visit(visit.practitioner, visit_type=visit.visit_type)
    who = Principal(clinic=visit.clinic, role=Role.PROXY, name="Ana", account=anas)

    assert appointment_for(who, visit.pk, Action.VISIT_SEE) == visit
    for pk, action in ((beside.pk, Action.VISIT_SEE), (visit.pk, Action.VISIT_CHANGE)):
        with pytest.raises(Http404):
            appointment_for(who, pk, action)


def test_they_come_to_no_page_of_staff_and_their_deeds_are_no_looks_of_staff(anas, visit):
    """Row 7 of the checklist: nor with a second factor."""
    client = verify(Client(), anas)

    for page in ("/today/", "/calendar/", "/admin/"):
        assert client.get(page)["Location"].startswith(("/signin/", "/admin/login/")), page
    assert client.get("/password/").status_code == 404
    client.post(f"/my/{visit.pk}/cancel/", {"reason": "better"})
    assert "Cancelled a visit" not in client.get(f"/my/{visit.pk}/looks/").content.decode()


def test_they_have_one_seat_by_link_and_by_account(visit, anas, ana):
    encounter = Encounter.objects.create(appointment=visit, started_at=visit.start, encryption=visit.clinic.encryption)
    who = Principal(clinic=visit.clinic, role=Role.PROXY, name=ana.full_name, account=anas)

    first = seat_for(who, encounter)

    assert (first.user, first.related_person, first.role) == (anas, ana, "proxy")
    assert seat_for(bearer(make_link(visit, proxy=ana)), encounter) == first
    assert Seat.objects.count() == 1


def test_the_clinic_may_ask_for_a_second_factor(anas, clinic):
    clinic.patients_need_factor = True
    clinic.save()

    assert sign_in(anas).get("/me/")["Location"].startswith("/me/signin/")
    assert verify(Client(), anas).get("/me/").status_code == 200


def test_who_finds_their_page_open_makes_no_factor_of_their_own_theirs(as_ana, anas):
    """Row 14 of the checklist: the first one wants a code mailed within the last ten minutes."""
    long_ago = timezone.now() - timedelta(minutes=11)
    Session.objects.filter(user=anas).update(began_at=long_ago)

    assert "/me/signin/?anew" in as_ana.get("/mfa/setup/")["Location"]
    assert not anas.totpdevice_set.exists()


def test_an_erased_record_names_them_nowhere_in_the_call(visit, anas, ana, clinic_admin):
    encounter = Encounter.objects.create(
        appointment=visit, started_at=visit.start, ended_at=visit.end, status="finished", encryption="preferred",
        ended_by=clinic_admin,
    )  # fmt: skip
    who = Principal(clinic=visit.clinic, role=Role.PROXY, name=ana.full_name, account=anas)
    seat = seat_for(who, encounter)
    long_ago = datetime(2000, 1, 3, 15, tzinfo=UTC)
    visit.start, visit.end, visit.status = long_ago, long_ago + timedelta(minutes=20), "fulfilled"
    visit.save()

    erasure.erase(principal=staff(clinic_admin), patient=visit.patient)

    seat.refresh_from_db()
    ana.refresh_from_db()
    assert (seat.name, ana.full_name.strip(), ana.email_hash) == (NOBODY, "", "")
    assert accounts_at(ANA) == []


# --- the end ----------------------------------------------------------------------------------------------------------


def by_ending_the_grant(ana: RelatedPerson, account: User, desk: User) -> None:
    proxies.end(principal=staff(desk), person=ana)


def by_closing_the_record(ana: RelatedPerson, account: User, desk: User) -> None:
    admin = factories.make_member(ana.clinic, Role.CLINIC_ADMIN)
    activity.deactivate(principal=staff(admin), patient=ana.patient)


def by_the_clinic(ana: RelatedPerson, account: User, desk: User) -> None:
    page = f"/patients/{ana.patient.pk}/account/"
    verify(Client(), desk).post(page, {"do": "end", "account": account.pk})


def by_themselves(ana: RelatedPerson, account: User, desk: User) -> None:
    verify(Client(), account).post("/me/account/end/")


@pytest.mark.parametrize("end", [by_ending_the_grant, by_closing_the_record, by_the_clinic, by_themselves])
def test_the_end_ends_sessions_and_factors_of_theirs_alone(end, ana, anas, as_ana, front_desk):
    """Row 14 of the checklist: what ends a sign-in makes its cookie useless at once."""
    rosas, elsewhere = make_account(ana.patient), verify(Client(), anas)

    end(ana, anas, front_desk)

    anas.refresh_from_db()
    rosas.refresh_from_db()
    assert (anas.is_active, rosas.is_active) == (False, end is not by_closing_the_record)
    assert not Session.objects.filter(user=anas).exists()
    assert not anas.totpdevice_set.exists()
    for client in (as_ana, elsewhere):
        assert client.get("/me/")["Location"].startswith("/me/signin/")
    assert accounts_at(ANA) == []


def test_on_the_childs_birthday_the_account_opens_nothing(anas, ana, patient, visit):
    """Row 31 of the checklist: whether it opens anything is computed at each request; no job hands anything over."""
    born = date(2008, 5, 2)
    Patient.objects.filter(pk=patient.pk).update(birth_date=born, time_zone="Pacific/Honolulu")
    narrow(ana, basis="minor", valid_until="2026-05-01")
    midnight = datetime(2026, 5, 2, 10, tzinfo=UTC)

    with freeze_time(midnight - timedelta(minutes=1)) as clock:
        client = sign_in(anas)
        assert client.get("/me/").status_code == 200
        clock.move_to(midnight)

        assert client.get("/me/")["Location"].startswith("/me/signin/")
        assert client.get(f"/my/{visit.pk}/visit/").status_code == 302
        assert accounts_at(ANA) == []
        assert "opens no visits at present" in verify(Client(), anas).get("/no-clinic/").content.decode()


def test_a_grant_that_is_narrowed_closes_the_account_and_one_that_is_widened_opens_it(ana, anas, as_ana):
    narrow(ana, manages=False)
    assert as_ana.get("/me/")["Location"].startswith("/me/signin/")

    narrow(ana, manages=True)

    assert as_ana.get("/me/").status_code == 200


def test_a_new_address_ends_what_the_old_one_opened(ana, anas, as_ana, front_desk):
    ana.email = "new@example.org"
    proxies.change(principal=staff(front_desk), person=ana)

    assert as_ana.get("/me/").status_code == 302
    assert (accounts_at(ANA), accounts_at("new@example.org")) == ([], [anas])


def test_the_desk_sees_whose_accounts_there_are(ana, anas, front_desk, patient):
    make_account(patient)
    page = verify(Client(), front_desk).get(f"/patients/{patient.pk}/account/").content.decode()

    assert page.count("End the account</button>") == 2
    assert "Ana Ruiz, mother of Rosa" in page


def test_an_account_of_another_patient_is_not_ended_by_this_ones_page(anas, front_desk, clinic):
    other = factories.make_patient(clinic)

    verify(Client(), front_desk).post(f"/patients/{other.pk}/account/", {"do": "end", "account": anas.pk})

    assert services.account_of(anas.bearer) == anas


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["waiting", "room"])
async def test_their_sockets_close_within_seconds_of_the_grants_end(page, visit, ana, anas, front_desk):
    """Row 14 of the checklist: what ends a sign-in closes open sockets within five seconds."""
    client: Client = await sync_to_async(sign_in)(anas)
    async with Socket(client, f"/ws/my/{visit.pk}/{page}/") as socket:
        assert (await socket.next())["type"] == "welcome"
        await sync_to_async(lambda: proxies.end(principal=staff(front_desk), person=ana))()
        await asyncio.wait_for(socket.until_closed(), WITHIN)
