"""What every template may know of the person."""

from typing import Any

from django.http import HttpRequest

from accounts.models import Clinic, Membership
from accounts.policy import Action
from accounts.principal import Principal


def who(request: HttpRequest) -> dict[str, Any]:
    """``principal`` (None outside the doors), their ``clinic``, and which pages their menu shows."""
    principal = getattr(request, "principal", None)
    if principal is None:
        return {"principal": None}
    return {
        "principal": principal,
        "clinic": principal.clinic,
        "other_clinics": lambda: other_clinics(principal),
        "perms_nav": {
            "board": principal.may(Action.BOARD_SEE),
            "book": principal.may(Action.VISIT_BOOK),
            "run": principal.may(Action.CLINIC_RUN),
            "records": principal.may(Action.RECORD_EXPORT),
        },
    }


def other_clinics(principal: Principal) -> list[Clinic]:
    """The clinics that a member of staff can switch to; asked for by pages that show the menu only."""
    memberships = Membership.objects.filter(user=principal.user, is_active=True).exclude(clinic=principal.clinic)
    return [membership.clinic for membership in memberships.select_related("clinic")]
