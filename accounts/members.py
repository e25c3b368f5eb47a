"""What must not become of who works in a clinic: nobody changes their own rights, and a clinic keeps an admin.

An admin who gives theirs away, or takes the last other one's, would leave a clinic that nobody can run.
"""

from collections.abc import Iterable

from django.db import transaction

from accounts.models import Membership, User
from accounts.policy import Action, Role, allows

RIGHTS = ("is_active", "is_staff", "is_superuser")


class OwnRights(Exception):
    """Somebody changes their own role, or what they may open."""


class LastAdmin(Exception):
    """The clinic would have no admin who may sign in and open the admin."""


def change(*, membership: Membership, by: User) -> None:
    """Save the membership with what was set on it. Raises OwnRights, LastAdmin."""
    with transaction.atomic():
        check_membership(membership, by=by)
        membership.save()
        let_into_admin(membership)


def let_into_admin(membership: Membership) -> None:
    """Let the member open the admin, if there is something for their role."""
    if membership.is_active and opens_admin(Role(membership.role)):
        # Without the signals of a change, which end sessions: a changed role has done that by itself.
        User.objects.filter(pk=membership.user_id).update(is_staff=True)


def opens_admin(role: Role) -> bool:
    return allows(role, Action.CLINIC_RUN) or allows(role, Action.AUDIT_READ)


def check_membership(membership: Membership, *, by: User) -> None:
    """Whether ``by`` may save it as it is now; call it in the transaction that saves. Raises OwnRights, LastAdmin."""
    before = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if before is None or (before.role, before.is_active) == (membership.role, membership.is_active):
        return
    if before.user_id == by.pk:
        raise OwnRights
    if not (membership.role == Role.CLINIC_ADMIN and membership.is_active):
        _check_another(before.user, [before])


def check_user(user: User, *, by: User) -> None:
    """Whether ``by`` may save the account with these rights; call it in the transaction that saves. Raises OwnRights,
    LastAdmin."""
    before = User.objects.filter(pk=user.pk).first()
    if before is None or all(getattr(before, name) == getattr(user, name) for name in RIGHTS):
        return
    if user.pk == by.pk:
        raise OwnRights
    if not (user.is_active and user.is_staff):
        _check_another(user, user.memberships.all())


def _check_another(user: User, memberships: Iterable[Membership]) -> None:
    clinics = [one.clinic_id for one in memberships]
    roles = Membership.objects.filter(clinic__in=clinics, role=Role.CLINIC_ADMIN).order_by("pk")
    # The locks come first: of two admins who take each other's role, the second sees what the first did.
    list(roles.select_for_update().values_list("pk", flat=True))
    admins = list(
        roles.filter(is_active=True, user__is_active=True, user__is_staff=True).values_list("clinic_id", "user_id")
    )
    for clinic in clinics:
        here = {who for where, who in admins if where == clinic}
        if here == {user.pk}:
            raise LastAdmin
