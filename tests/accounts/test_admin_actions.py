"""Bulk actions of the admin ask first; people are shut out by one."""

import time
from typing import Any

import pytest
from django.core import mail
from django.db.models import Model

from accounts.mfa import services as mfa
from accounts.mfa.tasks import mail_change
from accounts.models import AuditEvent, Clinic, Membership, TOTPDevice, User
from accounts.policy import Role
from tests import factories
from visits.schedule.models import VisitType

PEOPLE = "/admin/accounts/user/"
MEMBERS = "/admin/accounts/membership/"
VISIT_TYPES = "/admin/schedule/visittype/"


def chosen(action: str, *rows: Model, **more: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}


def test_an_action_asks_first_and_says_whom_it_is_about(verified: Any, clinic_admin: User, clinician: User) -> None:
    browser = verified(clinic_admin)

    asked = browser.post(PEOPLE, chosen("shut_out", clinician, index="0"))

    page = asked.content.decode()
    assert asked.status_code == 200
    assert "Shut out" in page
    assert clinician.name in page
    assert f'value="{clinician.pk}"' in page
    assert User.objects.get(pk=clinician.pk).is_active
    assert not AuditEvent.objects.filter(subtype="admin.change").exists()

    browser.post(PEOPLE, chosen("shut_out", clinician, confirmed="yes"))
    assert not User.objects.get(pk=clinician.pk).is_active


def test_a_lost_factor_is_reset_once_the_admin_says_how_they_made_sure_who_asks(
    verified: Any, clinic_admin: User, clinician: User
) -> None:
    """Row 13 of the checklist: the trail says which check of the identity was made; nothing happens without one."""
    TOTPDevice.objects.create(user=clinician, confirmed=True)
    browser = verified(clinic_admin)
    reset = chosen("reset_second_factor", clinician, confirmed="yes")

    for wrong in ({}, {"check": "trust-me"}, {"check": "call-back", "reference": "She said: Amara!"}):
        answer = browser.post(PEOPLE, reset | wrong)
        assert "There is a problem" in answer.content.decode()
    assert "Say how you made sure who asks." in browser.post(PEOPLE, reset).content.decode()
    assert TOTPDevice.objects.filter(user=clinician).exists()

    browser.post(PEOPLE, reset | {"check": "call-back", "reference": "T-1042"})

    assert not TOTPDevice.objects.filter(user=clinician).exists()
    event = AuditEvent.objects.get(subtype="mfa.reset")
    assert (event.user, event.entity_id) == (clinic_admin, str(clinician.pk))
    assert event.detail == {"check": "call-back", "reference": "T-1042"}


def test_who_resets_a_factor_gives_their_own_if_it_is_not_fresh(
    verified: Any, clinic_admin: User, clinician: User
) -> None:
    """Row 14 of the checklist: a browser that was left open takes nobody's second factor away."""
    TOTPDevice.objects.create(user=clinician, confirmed=True)
    browser = verified(clinic_admin)
    session = browser.session
    session[mfa.SESSION_CONFIRMED] = time.time() - 601
    session.save()

    asked = chosen("reset_second_factor", clinician, confirmed="yes", check="call-back")
    page = browser.post(PEOPLE, asked).content.decode()

    assert 'name="check" value="call-back"' in page  # it goes on from there
    assert TOTPDevice.objects.filter(user=clinician).exists()


def test_a_changed_address_is_told_to_the_old_one(
    verified: Any, clinician: User, django_capture_on_commit_callbacks: Any, monkeypatch: Any
) -> None:
    old, waiting = clinician.email, []
    monkeypatch.setattr(mail_change, "delay", lambda *given: waiting.append(given))
    browser = verified(factories.make_user(email="root@example.org", is_staff=True, is_superuser=True))
    url = f"{PEOPLE}{clinician.pk}/change/"
    form = browser.get(url).context["adminform"].form.initial | {"email": "elsewhere@example.org", "is_active": "on"}
    rows = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(url, {k: v for k, v in form.items() if v} | rows)
    assert answer.status_code == 302, answer.content.decode()
    for given in waiting:
        mail_change(*given)

    told = [one for one in mail.outbox if one.to == [old]]
    assert "has changed the e-mail address of your account" in told[0].body


def test_nobody_resets_their_own_factor(verified: Any, clinic_admin: User) -> None:
    browser = verified(clinic_admin)

    asked = chosen("reset_second_factor", clinic_admin, confirmed="yes", check="in-person")
    page = browser.post(PEOPLE, asked, follow=True).content.decode()

    assert "Nobody resets their own second factor: another admin does, or you change it." in page
    assert TOTPDevice.objects.filter(user=clinic_admin).exists()
    assert not AuditEvent.objects.filter(subtype="mfa.reset").exists()
    with pytest.raises(mfa.OwnFactors):
        mfa.reset(clinic_admin, by=clinic_admin)


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


def test_memberships_are_set_inactive_but_for_ones_own_and_the_last_admins(
    verified: Any, clinic: Clinic, clinic_admin: User, clinician: User, front_desk: User, stranger: User
) -> None:
    everybody = [person.memberships.get() for person in (clinic_admin, clinician, stranger)]
    inactive = chosen("set_inactive", *everybody)
    browser = verified(clinic_admin)

    asked = browser.post(MEMBERS, inactive).content.decode()
    assert clinician.name in asked
    assert stranger.name not in asked
    assert not Membership.objects.filter(is_active=False).exists()
    page = browser.post(MEMBERS, inactive | {"confirmed": "yes"}, follow=True).content.decode()

    assert "1 membership is inactive." in page
    assert "Nobody changes their own role" in page
    assert [one.user for one in Membership.objects.filter(is_active=False)] == [clinician]
    event = AuditEvent.objects.get(subtype="admin.change")
    assert (event.user, event.entity_type, event.entity_id) == (clinic_admin, "Membership", str(everybody[1].pk))
    assert event.detail == {"fields": ["is_active"], "role": "clinician", "is_active": False}


def test_the_last_admins_membership_stays_also_by_a_superusers_action(
    verified: Any, clinic: Clinic, clinic_admin: User
) -> None:
    root = factories.make_member(clinic, Role.CLINICIAN, is_staff=True, is_superuser=True)

    last = chosen("set_inactive", clinic_admin.memberships.get(), confirmed="yes")
    page = verified(root).post(MEMBERS, last, follow=True).content.decode()

    assert "The clinic would have no admin then." in page
    assert clinic_admin.memberships.get().is_active


def test_visit_types_leave_the_list_and_come_back(
    verified: Any, clinic: Clinic, clinic_admin: User, other_clinic: Clinic
) -> None:
    kinds = [factories.make_visit_type(clinic), factories.make_visit_type(other_clinic)]
    browser = verified(clinic_admin)

    browser.post(VISIT_TYPES, chosen("take_off", *kinds))
    assert all(kind.is_active for kind in VisitType.objects.all())
    browser.post(VISIT_TYPES, chosen("take_off", *kinds, confirmed="yes"))
    assert [kind.clinic for kind in VisitType.objects.filter(is_active=False)] == [clinic]
    browser.post(VISIT_TYPES, chosen("take_off", *kinds, confirmed="yes"))
    browser.post(VISIT_TYPES, chosen("put_on", *kinds, confirmed="yes"))

    assert all(kind.is_active for kind in VisitType.objects.all())
    events = AuditEvent.objects.filter(subtype="admin.change").order_by("pk")
    assert [event.detail["is_active"] for event in events] == [False, True]
    assert {(event.user, event.entity_id) for event in events} == {(clinic_admin, str(kinds[0].pk))}
