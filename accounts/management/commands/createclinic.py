"""Start a real clinic: the clinic itself and the invitation of its first admin."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.invitations import services as invitations
from accounts.models import Clinic, Invitation
from accounts.policy import Role
from accounts.services import create_clinic


class Command(BaseCommand):
    help = (
        "Make a clinic and invite its first admin. The link is printed once and works for three days; the same command "
        "again prints a new one, as long as they have not accepted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="as patients see it")
        parser.add_argument("--slug", required=True, help="short name: letters, digits, hyphens")
        parser.add_argument("--time-zone", required=True, help="IANA name, for example America/Chicago")
        parser.add_argument("--phone", required=True, help="the front desk's number")
        parser.add_argument("--phone-hours", default="", help="when the phone is answered")
        parser.add_argument("--emergency-number", default="911")
        parser.add_argument("--language", default="en", choices=["en", "es"])
        parser.add_argument("--admin-email", required=True)
        parser.add_argument("--admin-name", default="", help="default: the part of the e-mail before the @")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = {
            name: options[name]
            for name in ("name", "slug", "time_zone", "phone", "phone_hours", "emergency_number", "language")
        }
        email = options["admin_email"].lower()
        try:
            with transaction.atomic():
                invitation = unanswered(options["slug"], email)
                if invitation is None:
                    name = options["admin_name"] or email.split("@")[0]
                    invitation = invite_admin(create_clinic(**fields), email, name)
                else:
                    invitations.resend(invitation=invitation, principal=None, by_mail=False)
                token = invitations.make_token(invitation)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"{invitation.clinic.name} is ready. {email} opens this link within three days:")
        self.stdout.write(invitations.link_of(str(token)))
        self.stdout.write("People, visit types, hours and the agreement that patients give are set up in /admin/.")


def unanswered(slug: str, email: str) -> Invitation | None:
    """The invitation of before, while the clinic has nobody."""
    empty = Clinic.objects.filter(slug=slug, memberships=None)
    return Invitation.objects.unanswered().select_related("clinic").filter(clinic__in=empty, email=email).first()


def invite_admin(clinic: Clinic, email: str, name: str) -> Invitation:
    """Raises ValidationError."""
    invitation = Invitation(clinic=clinic, email=email, name=name, role=Role.CLINIC_ADMIN, language=clinic.language)
    invitation.full_clean()
    invitations.invite(invitation=invitation, principal=None, by_mail=False)
    return invitation
