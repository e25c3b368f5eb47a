from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.language import page_language
from accounts.links import birthdate

NOBODYS_DATE = _("A birth date is not before 1900, and not in the future.")


class BirthDateField(forms.CharField):
    """A birth date in one field of text, read in the order of the page's language."""

    default_error_messages = {
        "invalid": _("We could not read that date. Enter the month, the day and the year. For example: 3 14 1979")
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text=_("Month, day, year. For example: 3 14 1979"), max_length=40, **kwargs)

    def clean(self, value: Any) -> date:
        text = super().clean(value)
        try:
            return birthdate.parse(text, page_language())
        except birthdate.NobodysDate:
            raise forms.ValidationError(NOBODYS_DATE, code="nobodys") from None
        except ValueError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None
