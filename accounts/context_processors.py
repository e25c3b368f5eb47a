"""What every template may know of the person."""

from typing import Any

from django.http import HttpRequest

from accounts.policy import Action


def who(request: HttpRequest) -> dict[str, Any]:
    """``principal`` (None outside the doors), their ``clinic``, and which pages their menu shows."""
    principal = getattr(request, "principal", None)
    if principal is None:
        return {"principal": None}
    return {
        "principal": principal,
        "clinic": principal.clinic,
        "perms_nav": {"board": principal.may(Action.BOARD_SEE), "book": principal.may(Action.VISIT_BOOK)},
    }
