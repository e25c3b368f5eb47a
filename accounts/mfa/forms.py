import re

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.mfa.services import ALPHABET


class CodeForm(forms.Form):
    """A 6-digit code; spaces do not matter."""

    code = forms.CharField(
        label=_("Code"),
        max_length=16,
        error_messages={"required": _("Enter the 6-digit code.")},
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "class": "code", "pattern": "[0-9 ]*"}
        ),
    )

    def clean_code(self) -> str:
        return clean_code(self.cleaned_data["code"])


class RecoveryCodeForm(forms.Form):
    """A recovery code as printed; case, spaces and the dash do not matter."""

    code = forms.CharField(
        label=_("Recovery code"),
        max_length=32,
        error_messages={"required": _("Enter one of your recovery codes.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )

    def clean_code(self) -> str:
        return clean_recovery_code(self.cleaned_data["code"])


def clean_code(typed: str) -> str:
    """The six digits of a code. Raises ValidationError for anything else."""
    code = re.sub(r"\s", "", typed)
    if not re.fullmatch(r"[0-9]{6}", code):
        raise forms.ValidationError(_("The code has 6 digits. Enter the newest one."))
    return code


def clean_recovery_code(typed: str) -> str:
    """The eight characters of a recovery code. Raises ValidationError for anything else."""
    code = re.sub(r"[\W_]", "", typed.upper())
    if len(code) != 8 or not set(code) <= set(ALPHABET):
        raise forms.ValidationError(_("A recovery code looks like 7KQ2-M4XD."))
    return code
