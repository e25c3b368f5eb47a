from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.invitations import services
from accounts.models import Invitation


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Invitation
        fields = ("clinic", "email", "name", "role", "language")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "clinic" in cleaned and "email" in cleaned:
            try:
                services.check_may_be_invited(cleaned["clinic"], cleaned["email"])
            except (services.AlreadyMember, services.AlreadyInvited) as refused:
                self.add_error("email", refusal(refused))
        return cleaned


def refusal(refused: services.AlreadyMember | services.AlreadyInvited) -> Any:
    if isinstance(refused, services.AlreadyMember):
        return _("Somebody with this address is on the list of memberships already.")
    return _("This address is invited already. Send that invitation again, or withdraw it first.")
