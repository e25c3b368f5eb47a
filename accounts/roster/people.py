"""A clinic's staff from and into a file: who works in it, and as what. New people get a mail to choose a password."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.audit import services as audit
from accounts.models import AuditEvent, Membership, User
from accounts.password import services as password
from accounts.policy import STAFF_ROLES
from accounts.principal import Principal
from accounts.roster.rows import Row, refuse_doubles

COLUMNS = ("email", "name", "role", "language", "is_active")
REQUIRED = ("email", "name", "role")
EXAMPLE = ("amara@example.org", "Amara Okafor", "clinician", "en", "yes")
EVENT = "staff"
YES, NO = ("", "yes", "si", "sí", "1", "true"), ("no", "0", "false")


def check(cells: list[dict[str, str]], *, principal: Principal) -> list[Row]:
    """What each row would do: somebody new, another role for a member, or what is wrong with it. Saves nothing."""
    members = {
        one.user.email.lower(): one
        for one in Membership.objects.filter(clinic=principal.clinic).select_related("user", "clinic")
    }
    rows = [Row(number, one) for number, one in enumerate(cells, 2)]
    asked = {row.cells["email"].lower() for row in rows} - members.keys()
    strangers = {email.lower() for email in User.objects.filter(email__in=asked).values_list("email", flat=True)}
    for row in rows:
        _check(row, principal, members, strangers)
    refuse_doubles(rows, lambda row: row.cells["email"].lower(), "email", _("This address is in an earlier row."))
    return rows


def save(rows: list[Row], *, principal: Principal, request: Any) -> None:
    """Save what ``check`` has made, record each, and have new people mailed. Call it in a transaction."""
    for row in rows:
        membership: Any = row.made
        if membership is None or row.is_same:
            continue
        if row.is_new:
            membership.user.save()
            password.request_mail(membership.user)
            _record("admin.add", AuditEvent.Action.CREATE, membership.user, principal, request)
        membership.save()
        action = AuditEvent.Action.CREATE if row.is_new else AuditEvent.Action.UPDATE
        values = {"role": membership.role, "is_active": membership.is_active}
        _record("admin.add" if row.is_new else "admin.change", action, membership, principal, request, **values)


def listed(members: QuerySet[Membership]) -> list[tuple[object, ...]]:
    """The members as rows of a file."""
    return [
        (one.user.email, one.user.name, one.role, one.user.language, "yes" if one.is_active else "no")
        for one in members.select_related("user")
    ]


def _check(row: Row, principal: Principal, members: dict[str, Membership], strangers: set[str]) -> None:
    cells, email = row.cells, row.cells["email"].lower()
    for name in REQUIRED:
        if not cells[name]:
            row.refuse(name, _("This is missing."))
    roles = [role.value for role in STAFF_ROLES]
    if cells["role"] and cells["role"].lower() not in roles:
        row.refuse("role", _("Write one of: %(roles)s.") % {"roles": ", ".join(roles)})
    if cells["is_active"].lower() not in (*YES, *NO):
        row.refuse("is_active", _("Write yes or no."))
    if email in strangers:
        row.refuse("email", _("A user with this e-mail exists already."))
    if row.errors:
        return
    values = {"role": cells["role"].lower(), "is_active": cells["is_active"].lower() in YES}
    membership = members.get(email)
    if membership is None:
        user = User(email=email)
        user.set_unusable_password()
        row.put(user, {"name": cells["name"], "language": cells["language"] or principal.clinic.language})
        row.made = Membership(user=user, clinic=principal.clinic, **values)
        return
    row.put(membership, values)
    if membership.user == principal.user and row.changed:
        row.refuse("role", _("Nobody changes their own role."))


def _record(
    subtype: str, action: AuditEvent.Action, entity: Any, principal: Principal, request: Any, **detail: Any
) -> None:
    audit.record(subtype, action, principal=principal, request=request, entity=entity, detail=detail)
