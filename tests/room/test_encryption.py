"""Who may come unencrypted, and who decides: the clinic's policy, and a clinician where it leaves them the choice."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Clinic, User
from accounts.policy import PERMISSIONS, Action, Role
from accounts.principal import Principal
from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.room.conftest import enter
from visits.booking.models import Appointment
from visits.room import encryption, presence, services
from visits.room.models import Encounter, Seat
from visits.room.state import call_state

SignIn = Callable[[User], Client]


def told(principal: Principal, visit: Appointment) -> dict[str, Any]:
    return call_state(principal, visit.pk).encryption


@pytest.fixture
def visit_with(visit: Appointment, admitted: Appointment, as_clinician: Principal) -> Callable[[str], Appointment]:
    """``visit_with(policy)``: the visit, begun under this policy of the clinic's."""

    def begin(policy: str) -> Appointment:
        Clinic.objects.filter(pk=visit.clinic_id).update(encryption=policy)
        services.open_encounter(principal=as_clinician, visit=visit)
        return visit

    return begin


Begin = Callable[[str], Appointment]


# --- the policy -----------------------------------------------------------------------------------


def test_a_clinic_prefers_encryption_unless_it_says_otherwise(clinic: Clinic) -> None:
    assert clinic.encryption == "preferred"


@pytest.mark.parametrize(("policy", "mode"), [("required", "on"), ("preferred", "on"), ("off", "off")])
def test_the_visit_begins_as_the_clinic_wants_it(
    visit_with: Begin, as_patient: Principal, policy: str, mode: str
) -> None:
    visit = visit_with(policy)

    assert told(as_patient, visit) == {"policy": policy, "mode": mode, "unable": [], "by": None}


def test_before_it_begins_the_clinics_policy_is_told(visit: Appointment, as_clinician: Principal) -> None:
    assert told(as_clinician, visit)["policy"] == "preferred"


def test_a_later_change_is_for_later_visits(visit_with: Begin, as_clinician: Principal) -> None:
    visit = visit_with("required")
    Clinic.objects.update(encryption="off")

    assert told(as_clinician, visit)["policy"] == "required"


def change_policy(client: Client, clinic: Clinic, policy: str) -> Any:
    page = client.get(f"/admin/accounts/clinic/{clinic.pk}/change/")
    if page.status_code != 200 or "adminform" not in (page.context or {}):
        return page
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    return client.post(f"/admin/accounts/clinic/{clinic.pk}/change/", {**form, "encryption": policy})


def test_the_clinics_admin_changes_it_on_the_trail(clinic: Clinic, clinic_admin: User, verified: SignIn) -> None:
    change_policy(verified(clinic_admin), clinic, "required")

    clinic.refresh_from_db()
    assert clinic.encryption == "required"
    event = AuditEvent.objects.get(subtype="admin.change", entity_id=str(clinic.pk))
    assert (event.user, event.detail["fields"]) == (clinic_admin, ["End-to-end encryption"])
    assert event.detail["encryption"] == "required"


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor", "stranger"])
def test_nobody_else_changes_it(clinic: Clinic, who: str, verified: SignIn, request: pytest.FixtureRequest) -> None:
    change_policy(verified(request.getfixturevalue(who)), clinic, "off")

    clinic.refresh_from_db()
    assert clinic.encryption == "preferred"


def test_the_admin_of_another_clinic_does_not_change_it(clinic: Clinic, other_clinic: Clinic, verified: SignIn) -> None:
    other = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)
    change_policy(verified(other), clinic, "off")

    clinic.refresh_from_db()
    assert clinic.encryption == "preferred"


def test_a_password_alone_does_not_change_it(
    clinic: Clinic, clinic_admin: User, password_only: Callable[[User], Client]
) -> None:
    change_policy(password_only(clinic_admin), clinic, "off")

    clinic.refresh_from_db()
    assert clinic.encryption == "preferred"


# --- who cannot encrypt ---------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "is_final"), [("required", True), ("preferred", False)])
def test_who_cannot_encrypt_waits_outside_and_is_named(
    visit_with: Begin, as_patient: Principal, as_clinician: Principal, policy: str, is_final: bool
) -> None:
    visit = visit_with(policy)

    with pytest.raises(encryption.CannotEncrypt) as refusal:
        enter(as_patient, visit, e2ee=False)

    seat = Seat.objects.get(role="patient")
    assert (refusal.value.is_final, seat.epoch) == (is_final, 0)
    assert told(as_clinician, visit)["unable"] == [str(seat.pk)]
    event = AuditEvent.objects.get(subtype="visit.join")
    assert (event.outcome, event.detail["why"]) == (AuditEvent.Outcome.MINOR_FAILURE, "cannot-encrypt")


def test_the_trail_has_who_waits_once_however_often_they_ask(visit_with: Begin, as_patient: Principal) -> None:
    visit = visit_with("preferred")

    for _ in range(3):
        with pytest.raises(encryption.CannotEncrypt):
            enter(as_patient, visit, e2ee=False)
    assert AuditEvent.objects.filter(subtype="visit.join").count() == 1

    Seat.objects.update(unable_at=timezone.now() - 2 * encryption.WAITS_FOR)  # gone, and back later
    with pytest.raises(encryption.CannotEncrypt):
        enter(as_patient, visit, e2ee=False)
    assert AuditEvent.objects.filter(subtype="visit.join").count() == 2


def test_without_encryption_everybody_comes(visit_with: Begin, as_patient: Principal) -> None:
    assert enter(as_patient, visit_with("off"), e2ee=False).epoch == 1


def test_the_browser_that_could_stays_when_another_cannot(visit_with: Begin, as_patient: Principal) -> None:
    visit = visit_with("preferred")
    first = enter(as_patient, visit)

    with pytest.raises(encryption.CannotEncrypt):
        enter(as_patient, visit, e2ee=False)

    first.refresh_from_db()
    assert first.epoch == 1


def test_who_gave_up_waiting_is_named_no_more(
    visit_with: Begin, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = visit_with("preferred")
    with pytest.raises(encryption.CannotEncrypt) as refusal:
        enter(as_patient, visit, e2ee=False)
    encryption.no_more_outside(refusal.value.seat)

    assert told(as_clinician, visit)["unable"] == []


def test_who_is_not_heard_of_any_more_is_named_no_more(
    visit_with: Begin, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = visit_with("preferred")
    with pytest.raises(encryption.CannotEncrypt) as refusal:
        enter(as_patient, visit, e2ee=False)
    Seat.objects.update(unable_at=timezone.now() - encryption.WAITS_FOR)
    assert told(as_clinician, visit)["unable"] == []

    encryption.still_outside(refusal.value.seat)
    assert len(told(as_clinician, visit)["unable"]) == 1


def test_who_comes_with_another_browser_waits_no_more(
    visit_with: Begin, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = visit_with("required")
    with pytest.raises(encryption.CannotEncrypt):
        enter(as_patient, visit, e2ee=False)
    enter(as_patient, visit)

    assert told(as_clinician, visit)["unable"] == []


# --- the decision ---------------------------------------------------------------------------------


def test_a_clinician_goes_on_without_and_everybody_is_told_who(
    visit_with: Begin, as_patient: Principal, as_clinician: Principal
) -> None:
    visit = visit_with("preferred")
    enter(as_clinician, visit)
    with pytest.raises(encryption.CannotEncrypt):
        enter(as_patient, visit, e2ee=False)

    encryption.go_on_without(principal=as_clinician, visit=visit)
    again = encryption.go_on_without(principal=as_clinician, visit=visit)

    for who in (as_clinician, as_patient):
        assert told(who, visit) == {"policy": "preferred", "mode": "off", "unable": [], "by": "Dr. Amara Okafor"}
    assert enter(as_patient, visit, e2ee=False).epoch == 1
    assert again.unencrypted_by == as_clinician.user
    assert AuditEvent.objects.filter(subtype="visit.unencrypt", user=as_clinician.user).count() == 1


@pytest.mark.parametrize("policy", ["required", "off"])
def test_only_where_the_clinic_leaves_the_choice(visit_with: Begin, as_clinician: Principal, policy: str) -> None:
    visit = visit_with(policy)

    with pytest.raises(encryption.NotPreferred):
        encryption.go_on_without(principal=as_clinician, visit=visit)


def test_only_while_the_visit_goes_on(visit: Appointment, as_clinician: Principal) -> None:
    with pytest.raises(encryption.NotBegun):
        encryption.go_on_without(principal=as_clinician, visit=visit)


@pytest.mark.parametrize("who", ["front_desk", "clinic_admin", "auditor", "stranger"])
def test_only_a_clinician_of_the_clinic(visit_with: Begin, who: str, request: pytest.FixtureRequest) -> None:
    visit = visit_with("preferred")

    with pytest.raises(Http404):
        encryption.go_on_without(principal=staff(request.getfixturevalue(who)), visit=visit)


def test_no_patient_and_no_guest(visit_with: Begin, as_patient: Principal) -> None:
    visit = visit_with("preferred")

    for who in (as_patient, bearer(make_link(visit, guest="Ana"))):
        with pytest.raises(Http404):
            encryption.go_on_without(principal=who, visit=visit)


def test_the_table_of_rights_has_clinicians_only() -> None:
    assert {role for role, may in PERMISSIONS.items() if Action.VISIT_UNENCRYPT in may} == {Role.CLINICIAN}


# --- the database ---------------------------------------------------------------------------------


def test_the_database_refuses_a_policy_it_does_not_know(clinic: Clinic, visit_with: Begin) -> None:
    visit_with("preferred")
    for table in (Clinic, Encounter):
        with pytest.raises(IntegrityError), transaction.atomic():
            table.objects.update(encryption="perhaps")


def test_the_database_refuses_a_decision_that_nobody_could_make(visit_with: Begin, clinician: User) -> None:
    visit = visit_with("preferred")
    now = timezone.now()
    nonsense: list[dict[str, Any]] = [
        {"unencrypted_at": now},
        {"unencrypted_by": clinician},
        {"unencrypted_at": now - timedelta(hours=1), "unencrypted_by": clinician},
        {"unencrypted_at": now, "unencrypted_by": clinician, "encryption": "required"},
        {"unencrypted_at": now, "unencrypted_by": clinician, "encryption": "off"},
    ]
    for fields in nonsense:
        with pytest.raises(IntegrityError), transaction.atomic():
            Encounter.objects.filter(appointment=visit).update(**fields)


# --- who hears what browsers say to each other -----------------------------------------------------


def test_the_newest_copies_hear_each_other(visit_with: Begin, as_patient: Principal, as_clinician: Principal) -> None:
    visit = visit_with("preferred")
    one, older = enter(as_clinician, visit), enter(as_patient, visit)
    newer = enter(as_patient, visit)

    assert encryption.listeners(one) == {str(one.pk): 1, str(newer.pk): 2}
    assert encryption.listeners(older) == {}


def test_who_only_waits_is_not_in_the_call(visit_with: Begin, as_patient: Principal, as_clinician: Principal) -> None:
    visit = visit_with("preferred")
    one = enter(as_clinician, visit)
    with pytest.raises(encryption.CannotEncrypt):
        enter(as_patient, visit, e2ee=False)

    assert list(encryption.listeners(one)) == [str(one.pk)]


def test_after_the_end_nobody_hears_anything(visit_with: Begin, as_patient: Principal, as_clinician: Principal) -> None:
    visit = visit_with("preferred")
    seat = enter(as_patient, visit)
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    services.end(principal=as_clinician, visit=visit)

    assert encryption.listeners(seat) == {}


# --- the record -----------------------------------------------------------------------------------


def record_page(client: Client, visit: Appointment) -> str:
    return client.get(reverse("room:visit", kwargs={"pk": visit.pk})).content.decode()


@pytest.mark.parametrize(("policy", "words"), [("required", "Yes, all of it until now."), ("off", "No. The clinic")])
def test_the_record_tells_how_it_was_encrypted(
    visit_with: Begin, front_desk: User, verified: SignIn, policy: str, words: str
) -> None:
    assert words in record_page(verified(front_desk), visit_with(policy))


def test_the_record_tells_from_when_on_it_was_not(
    visit_with: Begin, as_clinician: Principal, front_desk: User, verified: SignIn
) -> None:
    visit = visit_with("preferred")
    encryption.go_on_without(principal=as_clinician, visit=visit)

    page = record_page(verified(front_desk), visit)

    assert "decided by Amara Okafor" in page
    assert Encounter.objects.get().unencrypted_at.strftime("%Y-%m-%dT%H:%M:%S") in page  # type: ignore[union-attr]
