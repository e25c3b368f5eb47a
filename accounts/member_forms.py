"""Forms of the admin for people and their roles, which say what cannot be."""

from copy import copy
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import members
from accounts.models import User


def refusal(refused: members.OwnRights | members.LastAdmin) -> Any:
    if isinstance(refused, members.OwnRights):
        return _("Nobody changes their own role, or what they may open. Another admin does that.")
    return _("The clinic would have no admin then. Make somebody else an admin first.")


class RightsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Of a model with rights; ``by`` is who changes them, set by the admin."""

    by: User

    def check_rights(self, changed: Any) -> None:
        """Raises OwnRights, LastAdmin."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        changed = copy(self.instance)
        for name in {"role", *members.RIGHTS} & cleaned.keys():
            setattr(changed, name, cleaned[name])
        try:
            self.check_rights(changed)
        except (members.OwnRights, members.LastAdmin) as refused:
            self.add_error(None, refusal(refused))
        return cleaned


class MembershipForm(RightsForm):
    def check_rights(self, changed: Any) -> None:
        members.check_membership(changed, by=self.by)


class UserForm(RightsForm):
    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def check_rights(self, changed: Any) -> None:
        members.check_user(changed, by=self.by)
