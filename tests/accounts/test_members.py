"""Nobody changes their own rights, and each clinic keeps an admin: in the admin's forms, and below them."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client

from accounts import members
from accounts.models import AuditEvent, Clinic, Invitation, Membership, User
from accounts.policy import Role
from tests import factories
from tests.accounts.test_stepup import grow_stale
from tests.threads import at_once

OWN = "Nobody changes their own role, or what they may open. Another admin does that."
LAST = "The clinic would have no admin then. Make somebody else an admin first."


@pytest.fixture
def superuser(db: Any) -> User:
    return factories.make_user(is_staff=True, is_superuser=True)


@pytest.fixture
def second_admin(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True)


def role_of(user: User) -> tuple[str, bool]:
    membership = user.memberships.get()
    return membership.role, membership.is_active


def give(browser: Client, membership: Membership, **fields: str) -> Any:
    """What the membership's own page sends."""
    return browser.post(f"/admin/accounts/membership/{membership.pk}/change/", fields)


def save_person(browser: Client, user: User, **fields: str) -> Any:
    """What a person's page sends: their rights, and their row of memberships."""
    membership = user.memberships.get()
    values = {
        "name": user.name, "email": user.email, "language": "en", "time_zone": "", "is_active": "on", "is_staff": "on",
        "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1", "memberships-0-id": str(membership.pk),
        "memberships-0-user": str(user.pk), "memberships-0-role": membership.role, "memberships-0-is_active": "on",
    }  # fmt: skip
    sent = {name: value for name, value in (values | fields).items() if value != "off"}
    return browser.post(f"/admin/accounts/user/{user.pk}/change/", sent)


def test_an_admin_does_not_change_their_own_role_and_stays_signed_in(
    verified: Any, clinic_admin: User, second_admin: User
) -> None:
    browser = verified(clinic_admin)

    for answer in (
        give(browser, clinic_admin.memberships.get(), role="auditor", is_active="on"),
        give(browser, clinic_admin.memberships.get(), role="clinic_admin"),
        save_person(browser, clinic_admin, **{"memberships-0-role": "auditor"}),
        save_person(browser, clinic_admin, is_staff="off"),
        save_person(browser, clinic_admin, is_active="off"),
    ):
        assert answer.status_code == 200
        assert OWN in answer.content.decode()

    clinic_admin.refresh_from_db()
    assert role_of(clinic_admin) == (Role.CLINIC_ADMIN, True)
    assert (clinic_admin.is_active, clinic_admin.is_staff) == (True, True)
    assert browser.get("/admin/").status_code == 200


def test_what_is_no_right_they_change_themselves(verified: Any, clinic_admin: User) -> None:
    assert save_person(verified(clinic_admin), clinic_admin, name="Ada Other").status_code == 302

    clinic_admin.refresh_from_db()
    assert clinic_admin.name == "Ada Other"


def test_another_admin_does(verified: Any, clinic_admin: User, second_admin: User) -> None:
    membership = clinic_admin.memberships.get()

    assert give(verified(second_admin), membership, role="auditor", is_active="on").status_code == 302

    assert role_of(clinic_admin) == (Role.AUDITOR, True)


def test_the_last_admin_stays_also_for_a_superuser(verified: Any, clinic_admin: User, superuser: User) -> None:
    browser, membership = verified(superuser), clinic_admin.memberships.get()
    # Who may not sign in, or not open the admin, runs nothing.
    factories.make_member(membership.clinic, Role.CLINIC_ADMIN, is_staff=True, is_active=False)
    factories.make_member(membership.clinic, Role.CLINIC_ADMIN)

    for answer in (
        give(browser, membership, role="front_desk", is_active="on"),
        give(browser, membership, role="clinic_admin"),
        save_person(browser, clinic_admin, **{"memberships-0-is_active": "off"}),
        save_person(browser, clinic_admin, is_staff="off"),
        save_person(browser, clinic_admin, is_active="off"),
    ):
        assert answer.status_code == 200
        assert LAST in answer.content.decode()
    shut = browser.post(
        "/admin/accounts/user/",
        {"action": "shut_out", "_selected_action": [str(clinic_admin.pk)], "confirmed": "yes"},
        follow=True,
    )
    assert LAST in shut.content.decode()

    clinic_admin.refresh_from_db()
    assert role_of(clinic_admin) == (Role.CLINIC_ADMIN, True)
    assert (clinic_admin.is_active, clinic_admin.is_staff) == (True, True)


def test_memberships_are_set_inactive_and_not_deleted(verified: Any, superuser: User, clinician: User) -> None:
    membership = clinician.memberships.get()

    answer = verified(superuser).post(f"/admin/accounts/membership/{membership.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Membership.objects.filter(pk=membership.pk).exists()


def test_below_the_forms_it_is_the_same(clinic_admin: User, superuser: User) -> None:
    membership = clinic_admin.memberships.get()
    membership.role = Role.AUDITOR

    with pytest.raises(members.OwnRights):
        members.change(membership=membership, by=clinic_admin)
    with pytest.raises(members.LastAdmin):
        members.change(membership=membership, by=superuser)

    assert role_of(clinic_admin) == (Role.CLINIC_ADMIN, True)


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_take_each_others_role_at_once_one_stays(clinic_admin: User, second_admin: User) -> None:
    def take(of: User, by: User) -> str:
        membership = of.memberships.get()
        membership.role = Role.AUDITOR
        try:
            members.change(membership=membership, by=by)
        except members.LastAdmin:
            return "last"
        return "done"

    ends = at_once([lambda: take(clinic_admin, second_admin), lambda: take(second_admin, clinic_admin)])

    assert sorted(ends) == ["done", "last"]
    assert Membership.objects.filter(role=Role.CLINIC_ADMIN).count() == 1


# --- what gives rights


@pytest.mark.parametrize("page", ["membership", "person", "invitation", "password link"])
def test_who_gives_rights_gives_their_factor_if_it_is_not_fresh(
    verified: Any, clinic_admin: User, second_admin: User, clinician: User, page: str
) -> None:
    """Row 14 of the checklist: a page of the admin that was left open makes nobody an admin."""
    browser, membership = grow_stale(verified(clinic_admin)), clinician.memberships.get()
    mail.outbox.clear()
    match page:
        case "membership":
            answer = give(browser, membership, role="clinic_admin", is_active="on")
        case "person":
            answer = save_person(browser, clinician, **{"memberships-0-role": "clinic_admin"})
        case "invitation":
            fields = {"name": "A thief", "email": "thief@example.org", "role": "clinic_admin", "language": "en"}
            answer = browser.post("/admin/accounts/invitation/add/", fields)
        case _:
            fields = {"action": "mail_password_link", "_selected_action": str(clinician.pk), "confirmed": "yes"}
            answer = browser.post("/admin/accounts/user/", fields)

    assert answer.status_code == 200
    assert "stepup-code" in answer.content.decode()
    assert role_of(clinician)[0] == "clinician"
    assert not Invitation.objects.exists()
    assert not mail.outbox


@pytest.mark.parametrize("page", ["membership", "person"])
def test_who_is_made_an_admin_can_open_the_admin(
    verified: Any, clinic_admin: User, second_admin: User, clinician: User, page: str
) -> None:
    if page == "membership":
        give(verified(clinic_admin), clinician.memberships.get(), role="clinic_admin", is_active="on")
    else:
        save_person(verified(clinic_admin), clinician, **{"memberships-0-role": "clinic_admin", "is_staff": "off"})

    clinician.refresh_from_db()
    assert role_of(clinician) == ("clinic_admin", True)
    assert clinician.is_staff
    assert verified(clinician).get("/admin/").status_code == 200


def test_the_trail_is_the_only_log_of_the_admin(verified: Any, clinic_admin: User, clinician: User) -> None:
    """Django's own would repeat names, and no erasure would find them all."""
    give(verified(clinic_admin), clinician.memberships.get(), role="front_desk", is_active="on")

    assert AuditEvent.objects.filter(subtype="admin.change", entity_type="Membership").exists()
    assert not LogEntry.objects.exists()
