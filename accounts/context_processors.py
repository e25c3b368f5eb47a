"""What every template may know of the person."""

from typing import Any

from django.http import HttpRequest


def who(request: HttpRequest) -> dict[str, Any]:
    """``principal`` (None outside the doors) and their ``clinic``."""
    principal = getattr(request, "principal", None)
    return {"principal": principal, "clinic": principal.clinic} if principal else {"principal": None}
