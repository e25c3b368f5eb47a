"""What people type about a record."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Why something is done with a record; it is sealed, and shown to who may do it."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Say why.")},
    )


class CopyForm(ReasonForm):
    prefix = "copy"


class HoldForm(ReasonForm):
    prefix = "hold"


class EraseForm(forms.Form):
    """The last name typed again, so that it is this one."""

    family_name = forms.CharField(
        label=_("Type the last name of the patient"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Type the last name.")},
    )

    def __init__(self, *args: object, wanted: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.wanted = wanted

    def clean_family_name(self) -> str:
        typed: str = self.cleaned_data["family_name"]
        if typed.strip().casefold() != self.wanted.strip().casefold():
            raise forms.ValidationError(_("This is another name."))
        return typed
