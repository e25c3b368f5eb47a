"""A clinic's staff from and into a file: who works in it, and as what. Somebody new is invited."""

from typing import Any, cast

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import members
from accounts.audit import services as audit
from accounts.invitations import services as invitations
from accounts.member_forms import refusal
from accounts.models import AuditEvent, Invitation, Membership, User
from accounts.policy import STAFF_ROLES
from accounts.principal import Principal
from accounts.roster.files import Unreadable
from accounts.roster.rows import Row, refuse_doubles

COLUMNS = ("email", "name", "role", "language", "is_active")
REQUIRED = ("email", "name", "role")
EXAMPLE = ("amara@example.org", "Amara Okafor", "clinician", "en", "yes")
EVENT = "staff"
YES, NO = ("", "yes", "si", "sí", "1", "true"), ("no", "0", "false")


def check(cells: list[dict[str, str]], *, principal: Principal) -> list[Row]:
    """What each row would do: invite somebody new, another role for a member, or what is wrong with it. Saves
    nothing."""
    known = {
        one.user.email.lower(): one
        for one in Membership.objects.filter(clinic=principal.clinic).select_related("user", "clinic")
    }
    invited = {one.email: one for one in Invitation.objects.unanswered().filter(clinic=principal.clinic)}
    rows = [Row(number, one) for number, one in enumerate(cells, 2)]
    for row in rows:
        _check(row, principal, known, invited)
    refuse_doubles(rows, lambda row: row.cells["email"].lower(), "email", _("This address is in an earlier row."))
    return rows


def save(rows: list[Row], *, principal: Principal, request: Any) -> None:
    """Save what ``check`` has made, record each, and have new people invited. Call it in a transaction."""
    for row in rows:
        made: Any = row.made
        if made is None or row.is_same:
            continue
        if row.is_new:
            invitations.invite(invitation=made, principal=principal, request=request)
            continue
        try:
            members.change(membership=made, by=cast(User, principal.user))
        except members.LastAdmin as refused:  # since somebody else was taken out at the same moment
            raise Unreadable(str(refusal(refused))) from None
        detail = {"role": made.role, "is_active": made.is_active}
        audit.record(
            "admin.change", AuditEvent.Action.UPDATE, principal=principal, request=request, entity=made, detail=detail
        )


def listed(members: QuerySet[Membership]) -> list[tuple[object, ...]]:
    """The members as rows of a file."""
    return [
        (one.user.email, one.user.name, one.role, one.user.language, "yes" if one.is_active else "no")
        for one in members.select_related("user")
    ]


def _check(row: Row, principal: Principal, known: dict[str, Membership], invited: dict[str, Invitation]) -> None:
    cells, email = row.cells, row.cells["email"].lower()
    for name in REQUIRED:
        if not cells[name]:
            row.refuse(name, _("This is missing."))
    roles = [role.value for role in STAFF_ROLES]
    if cells["role"] and cells["role"].lower() not in roles:
        row.refuse("role", _("Write one of: %(roles)s.") % {"roles": ", ".join(roles)})
    if cells["is_active"].lower() not in (*YES, *NO):
        row.refuse("is_active", _("Write yes or no."))
    if row.errors:
        return
    role, is_active = cells["role"].lower(), cells["is_active"].lower() in YES
    membership = known.get(email)
    if membership is None:
        _check_new(row, principal, invited.get(email), role, is_active)
        return
    row.put(membership, {"role": role, "is_active": is_active})
    if membership.user == principal.user and row.changed:
        row.refuse("role", refusal(members.OwnRights()))


def _check_new(row: Row, principal: Principal, invited: Invitation | None, role: str, is_active: bool) -> None:
    if not is_active:
        row.refuse("is_active", _("Somebody new is invited. Leave the row out, or write yes."))
        return
    new = Invitation(clinic=principal.clinic, email=row.cells["email"].lower())
    language = row.cells["language"] or principal.clinic.language
    row.put(invited or new, {"name": row.cells["name"], "role": role, "language": language})
    if invited and row.changed:
        row.refuse("email", _("This address is invited already. Send that invitation again, or withdraw it first."))
