"""The command that starts a clinic: it invites the first admin, whose link it prints."""

import re
from io import StringIO

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AuditEvent, Clinic, Invitation, User
from accounts.policy import Role
from tests import factories
from tests.accounts.test_invitations import NEW
from tests.accounts.test_signin import CODE, SIGNIN, code_of, phone_of

FLAGS = {
    "name": "Lakeside Clinic",
    "slug": "lakeside",
    "time_zone": "America/Denver",
    "phone": "(555) 010-0100",
    "admin_email": "Boss@Example.org",
}

pytestmark = pytest.mark.django_db


def create(**flags: str) -> str:
    """The path of the link that is printed."""
    out = StringIO()
    call_command("createclinic", stdout=out, **FLAGS | flags)
    found = re.search(r"^http\S+$", out.getvalue(), re.MULTILINE)
    assert found
    return found.group().removeprefix(settings.BASE_URL)


def test_its_link_makes_the_first_admin(client: Client) -> None:
    url = create()

    assert client.post(url, {"new": NEW})["Location"] == SIGNIN

    user = User.objects.get()
    assert (user.email, user.name) == ("boss@example.org", "boss")
    assert (user.is_staff, user.is_superuser) == (True, False)
    membership = user.memberships.get()
    assert (membership.role, membership.clinic.slug) == (Role.CLINIC_ADMIN, "lakeside")
    assert client.post(SIGNIN, {"email": user.email, "password": NEW})["Location"] == "/mfa/setup/"
    assert set(AuditEvent.objects.values_list("subtype", flat=True)) >= {"clinic.create", "invitation.send"}
    assert mail.outbox == []


def test_again_it_prints_a_new_link_until_the_clinic_has_somebody(client: Client) -> None:
    old, new = create(), create()

    assert (Clinic.objects.count(), Invitation.objects.count()) == (1, 1)
    assert client.get(old).status_code == 410
    client.post(new, {"new": NEW})
    with pytest.raises(CommandError):
        create()


@pytest.mark.parametrize(
    ("flag", "value"),
    [("time_zone", "Mars/Olympus"), ("slug", "not a slug"), ("admin_email", "nonsense"), ("slug", "riverside")],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(clinic: Clinic, flag: str, value: str) -> None:
    with pytest.raises(CommandError):
        create(**{flag: value})

    assert Clinic.objects.count() == 1
    assert not Invitation.objects.exists()


def test_who_has_an_account_joins_by_signing_in(client: Client, clinician: User) -> None:
    url, phone = create(admin_email="AMARA@example.org"), phone_of(clinician)

    client.post(url, {"do": "sign-in"})
    client.post(SIGNIN, {"email": clinician.email, "password": factories.PASSWORD})
    client.post(CODE, {"code": code_of(phone)})
    client.post(url)

    assert clinician.memberships.get(clinic__slug="lakeside").role == Role.CLINIC_ADMIN
