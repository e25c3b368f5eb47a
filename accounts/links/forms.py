from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.links.fields import BirthDateField


class BirthDateForm(forms.Form):
    """One text field for a birth date, read in the order of the page's language."""

    birth_date = BirthDateField(
        label=_("Your birth date"),
        error_messages={"required": _("Enter your birth date.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["birth_date"].widget.attrs["autocomplete"] = "bday"
