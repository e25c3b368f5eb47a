from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.links.forms import BirthDateForm
from accounts.mfa.forms import CodeForm
from accounts.mfa.resetting import IdentityCheck, ResetForm


class SignInCodeForm(CodeForm, BirthDateForm):
    """The code that was mailed, and the patient's birth date: whoever reads the mailbox is not yet the patient."""

    field_order = ["code", "birth_date"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["birth_date"].help_text = _("If you act for a patient, the birth date of the patient.")


class LostFactorForm(ResetForm):
    """How the desk made sure who asks, as one list to choose from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check = cast(forms.ChoiceField, self.fields["check"])
        check.widget = forms.Select(choices=[("", _("Choose")), *IdentityCheck.choices])
