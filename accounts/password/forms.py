from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class NewPasswordForm(forms.Form):
    """A new password, typed once: the page can show what was typed (NIST SP 800-63B-4 asks for that)."""

    new = forms.CharField(
        label=_("New password"),
        help_text=_("At least 12 characters. Three or four words you remember are good."),
        strip=False,
        max_length=1024,
        error_messages={"required": _("Enter a new password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new(self) -> str:
        password: str = self.cleaned_data["new"]
        validate_password(password, self.user)
        return password


class ChangePasswordForm(NewPasswordForm):
    old = forms.CharField(
        label=_("Password now"),
        strip=False,
        max_length=1024,
        error_messages={"required": _("Enter your password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ["old", "new"]

    def clean_old(self) -> str:
        old: str = self.cleaned_data["old"]
        if not self.user.check_password(old):
            raise forms.ValidationError(_("That is not your password now."))
        return old
