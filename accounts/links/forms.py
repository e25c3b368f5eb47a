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

    def __init__(self, *args: Any, of: str = "", **kwargs: Any) -> None:
        """``of`` is the first name of the patient where somebody else types it."""
        super().__init__(*args, **kwargs)
        field = self.fields["birth_date"]
        if of:
            field.label = _("Birth date of %(name)s") % {"name": of}
            field.error_messages |= {"required": _("Enter the birth date.")}
        field.widget.attrs["autocomplete"] = "off" if of else "bday"
