"""What people type when they book or cancel."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.links.fields import BirthDateField
from visits.booking.patients import Details


class NewPatientForm(forms.Form):
    """What a clinic needs to know of a new patient; the browser must not fill in the person typing."""

    given_name = forms.CharField(
        label=_("First name"), max_length=60, error_messages={"required": _("Enter the first name.")}
    )
    family_name = forms.CharField(
        label=_("Last name"), max_length=60, error_messages={"required": _("Enter the last name.")}
    )
    birth_date = BirthDateField(
        label=_("Birth date"),
        error_messages={"required": _("Enter the birth date.")},
    )
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("The link to the visit goes there. Without it we can send nothing."),
        required=False,
        error_messages={"invalid": _("Enter an e-mail address like name@example.org, or leave it empty.")},
    )
    phone = forms.CharField(label=_("Phone"), max_length=32, required=False)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["autocomplete"] = "off"
        self.fields["phone"].widget.input_type = "tel"
        # Only a page on which "New patient" was chosen needs these; the server says what is missing.
        self.use_required_attribute = False

    def details(self) -> Details:
        return Details(**self.cleaned_data | {"language": self.cleaned_data["language"] or "en"})


class CancelForm(forms.Form):
    reason = forms.CharField(
        label=_("Why? (optional)"),
        help_text=_("For the clinic only. The patient is told that the visit is cancelled, not why."),
        max_length=200,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    following = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict | None, *, following: int) -> None:
        """``following``: how many visits that were booked together with it come after it."""
        super().__init__(data)
        if following:
            words = ngettext(
                "Also the %(count)s visit after it that was booked together with it",
                "Also the %(count)s visits after it that were booked together with it",
                following,
            )
            self.fields["following"].label = words % {"count": following}
        else:
            del self.fields["following"]
