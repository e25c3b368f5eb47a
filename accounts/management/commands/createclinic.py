"""Start a real clinic: the clinic itself and its first admin."""

import os
import secrets
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.audit import services as audit
from accounts.models import AuditEvent, Membership, User
from accounts.policy import Role
from accounts.services import create_clinic

PASSWORD_VARIABLE = "TELEHEALTH_ADMIN_PASSWORD"  # noqa: S105 - its name


class Command(BaseCommand):
    help = (
        "Make a clinic and its first admin. The admin's password comes from the environment variable "
        f"{PASSWORD_VARIABLE}; without it one is made and printed once. An existing user keeps theirs."
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
        try:
            with transaction.atomic():
                clinic = create_clinic(**fields)
                user, made_up = first_admin(options["admin_email"], options["admin_name"], options["language"])
                membership = Membership.objects.create(user=user, clinic=clinic, role=Role.CLINIC_ADMIN)
                audit.record("membership.create", AuditEvent.Action.CREATE, clinic=clinic, entity=membership)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"{clinic.name} is ready. {user.email} signs in and sets up their phone.")
        self.stdout.write("People, visit types, hours and the agreement that patients give are set up in /admin/.")
        if made_up:
            self.stdout.write(f"Password, shown only now: {made_up}")


def first_admin(email: str, name: str, language: str) -> tuple[User, str]:
    """The user with this e-mail, made if new, and the password if one was made up. Raises ValidationError."""
    user = User.objects.filter(email__iexact=email).first()
    if user is not None:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
        return user, ""
    given = os.environ.get(PASSWORD_VARIABLE, "")
    made_up = "" if given else secrets.token_urlsafe(15)
    user = User(email=email.lower(), name=name or email.split("@")[0], language=language, is_staff=True)
    validate_password(given or made_up, user)
    user.set_password(given or made_up)
    user.full_clean()
    user.save()
    audit.record("user.create", AuditEvent.Action.CREATE, entity=user)
    return user, made_up
