"""How long a session lasts without activity, and in all, by role: ``SESSION_LIMITS``.

NIST SP 800-63B-4 section 2.2.3 (AAL2): at most an hour without activity and a day in all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Membership, User
from accounts.policy import Role


@dataclass(frozen=True)
class Limit:
    idle: timedelta
    absolute: timedelta

    def end(self, *, began_at: datetime, seen_at: datetime) -> datetime:
        """When a session ends by itself that began and was last active then."""
        return min(seen_at + self.idle, began_at + self.absolute)


def limit_of(user: User | None) -> Limit:
    """The shortest limits of the person's roles; a patient's where nobody is signed in."""
    return _shortest(_roles_of(user) if user else {Role.PATIENT, Role.GUEST})


def _roles_of(user: User) -> set[Role]:
    if user.is_party:
        return {Role.PATIENT}
    roles = {Role(role) for role in Membership.objects.filter(user=user, is_active=True).values_list("role", flat=True)}
    # Who belongs nowhere, or runs everything, is treated as those who can do most.
    return roles | {Role.CLINIC_ADMIN} if user.is_staff or not roles else roles


def _shortest(roles: set[Role]) -> Limit:
    minutes = [settings.SESSION_LIMITS[role] for role in roles]
    return Limit(
        idle=timedelta(minutes=min(idle for idle, _ in minutes)),
        absolute=timedelta(minutes=min(absolute for _, absolute in minutes)),
    )
