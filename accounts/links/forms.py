from datetime import date
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.links import birthdate


class BirthDateForm(forms.Form):
    """One text field for a birth date, read in the order of the page's language."""

    birth_date = forms.CharField(
        label=_("Your birth date"),
        help_text=_("Month, day, year. For example: 3 14 1979"),
        max_length=40,
        error_messages={"required": _("Enter your birth date.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["birth_date"].widget.attrs["autocomplete"] = "bday"

    def clean_birth_date(self) -> date:
        try:
            return birthdate.parse(self.cleaned_data["birth_date"], (get_language() or "en")[:2])
        except ValueError:
            raise forms.ValidationError(
                _("We could not read that date. Enter the month, the day and the year. For example: 3 14 1979")
            ) from None
