"""The pages of invitations, and the questions before a lost factor is reset, in a browser."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.invitations import services
from accounts.models import Clinic, Invitation, Session, TOTPDevice, User
from accounts.policy import Role
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_admin_pages import look_at

pytestmark = pytest.mark.e2e


def link_for(clinic: Clinic, email: str) -> str:
    invitation = Invitation.objects.create(clinic=clinic, email=email, name="Nia New", role=Role.FRONT_DESK)
    return f"/invitation/{services.make_token(invitation)}/"


def test_the_pages_of_who_is_invited(person: Callable[..., Page], clinic: Clinic, stranger: User) -> None:
    nia = person("nia")
    nia.goto(link_for(clinic, "nia@example.org"))
    look_at(nia, "invitation")
    nia.get_by_label("New password").fill("short")
    nia.get_by_role("button", name="Accept").click()
    expect(nia.get_by_role("heading", name="There is a problem")).to_be_visible()
    look_at(nia, "invitation-problem")
    nia.goto("/invitation/nothing/")
    look_at(nia, "invitation-ended")

    sam = person("sam")
    steps.carry_session(sam, verify(Client(), stranger))
    sam.goto(link_for(clinic, stranger.email))
    look_at(sam, "invitation-join")
    sam.goto("/password/")
    Session.objects.all().delete()
    sam.evaluate("document.querySelector('main form').submit()")
    expect(sam.get_by_role("heading", name="You are not signed in")).to_be_visible()
    look_at(sam, "signed-out")


def test_the_pages_of_who_invites(
    person: Callable[..., Page], clinic: Clinic, clinic_admin: User, clinician: User
) -> None:
    link_for(clinic, "nia@example.org")
    TOTPDevice.objects.create(user=clinician, name="phone", confirmed=True)
    ada = person("ada")
    steps.carry_session(ada, verify(Client(), clinic_admin))

    ada.goto("/admin/accounts/invitation/")
    look_at(ada, "invitations")
    ada.locator(".action-select").first.check()
    ada.get_by_label("Action:").select_option(value="withdraw")
    ada.get_by_role("button", name="Go").click()
    ada.get_by_role("button", name="Yes, do it").click()
    expect(ada.get_by_text("1 invitation is withdrawn.")).to_be_visible()

    ada.goto("/admin/accounts/user/")
    ada.get_by_role("row", name=clinician.name).locator(".action-select").check()
    ada.get_by_label("Action:").select_option(value="reset_second_factor")
    ada.get_by_role("button", name="Go").click()
    ada.get_by_role("button", name="Yes, do it").click()
    ada.get_by_role("alert").get_by_role("link", name="Say how you made sure who asks.").press("Enter")
    expect(ada.get_by_label("Saw them and their photo ID by video")).to_be_focused()
    look_at(ada, "reset")
    ada.get_by_label("Called them back at the number on file").check()
    ada.get_by_role("button", name="Yes, do it").click()
    expect(ada.locator(".messagelist .success")).to_be_visible()
    assert not TOTPDevice.objects.filter(user=clinician).exists()
