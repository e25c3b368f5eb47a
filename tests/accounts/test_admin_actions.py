"""Bulk actions of the admin ask first; people are shut out by one."""

from typing import Any

from accounts.models import AuditEvent, Clinic, Membership, TOTPDevice, User
from accounts.policy import Role
from tests import factories

PEOPLE = "/admin/accounts/user/"


def chosen(action: str, *users: User, **more: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(user.pk) for user in users], **more}


def test_an_action_asks_first_and_says_whom_it_is_about(verified: Any, clinic_admin: User, clinician: User) -> None:
    TOTPDevice.objects.create(user=clinician, confirmed=True)
    browser = verified(clinic_admin)

    asked = browser.post(PEOPLE, chosen("reset_second_factor", clinician, index="0"))

    page = asked.content.decode()
    assert asked.status_code == 200
    assert "Reset the second factor" in page
    assert clinician.name in page
    assert f'value="{clinician.pk}"' in page
    assert TOTPDevice.objects.filter(user=clinician).exists()
    assert not AuditEvent.objects.filter(subtype="mfa.reset").exists()

    browser.post(PEOPLE, chosen("reset_second_factor", clinician, confirmed="yes"))
    assert not TOTPDevice.objects.filter(user=clinician).exists()


def test_the_question_names_nobody_of_another_clinic(verified: Any, clinic_admin: User, stranger: User) -> None:
    asked = verified(clinic_admin).post(PEOPLE, chosen("shut_out", stranger))

    assert stranger.name not in asked.content.decode()


def test_who_is_shut_out_is_out_and_it_is_on_the_trail(verified: Any, clinic_admin: User, clinician: User) -> None:
    theirs = verified(clinician)

    verified(clinic_admin).post(PEOPLE, chosen("shut_out", clinician, confirmed="yes"))

    clinician.refresh_from_db()
    assert not clinician.is_active
    assert theirs.get("/today/").status_code == 302
    event = AuditEvent.objects.get(subtype="admin.change")
    assert (event.user, event.entity_id, event.detail["is_active"]) == (clinic_admin, str(clinician.pk), False)


def test_nobody_shuts_out_themselves_strangers_or_who_belongs_elsewhere_too(
    verified: Any, clinic_admin: User, clinician: User, other_clinic: Clinic, stranger: User
) -> None:
    Membership.objects.create(user=clinician, clinic=other_clinic, role=Role.CLINICIAN)
    superuser = factories.make_member(clinic_admin.memberships.get().clinic, Role.CLINIC_ADMIN, is_superuser=True)
    everybody = (clinic_admin, clinician, stranger, superuser)

    verified(clinic_admin).post(PEOPLE, chosen("shut_out", *everybody, confirmed="yes"))

    assert all(User.objects.get(pk=user.pk).is_active for user in everybody)
