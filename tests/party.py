"""Patients and guests of a visit: their links, and browsers that have redeemed them."""

from datetime import timedelta

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, RelatedPerson, User
from accounts.patients.bearers import Bearer, column_of
from accounts.principal import SESSION_LINKS, Principal, principal_of
from visits.booking.models import Appointment
from visits.reminders.links import kind_of


def make_link(
    visit: Appointment, *, guest: str = "", proxy: RelatedPerson | None = None, handed_out_by: User | None = None
) -> AccessLink:
    """A live link of the visit's patient, of who acts for them, or of a guest by that name; sent, or seen by staff."""
    return links.issue(
        kind=AccessLink.Kind.GUEST if guest else kind_of(proxy),
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=timezone.now() + timedelta(hours=12),
        patient=None if guest else visit.patient,
        related_person=proxy,
        name=guest,
        relationship="Interpreter" if guest else "",
        created_by=handed_out_by,
    )[0]


def bearer(link: AccessLink) -> Principal:
    """The principal of who redeemed the link, for calling services."""
    return principal_of(link)


def browser(link: AccessLink) -> Client:
    """A test client that has redeemed the link."""
    client = Client()
    session = client.session
    session[SESSION_LINKS] = {str(link.resource_id): str(link.pk)}
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


def make_account(bearer: Bearer) -> User:
    """The account that the patient, or who acts for one, has claimed."""
    return User.objects.create(**column_of(bearer), language=bearer.language, password="!")


def sign_in(account: User, client: Client | None = None) -> Client:
    """A test client in which its bearer is signed in by a code, without the pages."""
    client = client or Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client
