"""What a patient may answer."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from visits.checkin.models import CheckIn, ConsentText

FACTS = ("callback_phone", "location", "emergency_contact")


class DetailsForm(forms.Form):
    """Three facts, and the agreement where one is still to be given (``text``)."""

    callback_phone = forms.CharField(
        label=_("If we get cut off, we call"),
        max_length=32,
        error_messages={"required": _("Type the phone number that we call if we get cut off")},
        widget=forms.TelInput(attrs={"autocomplete": "tel", "class": "input"}),
    )
    location = forms.CharField(
        label=_("Where you are right now"),
        help_text=_("Street and town, so that we can send help if you need it."),
        max_length=160,
        error_messages={"required": _("Type where you are right now")},
        widget=forms.TextInput(attrs={"autocomplete": "street-address", "class": "input"}),
    )
    emergency_contact = forms.CharField(
        label=_("Who we call in an emergency"),
        help_text=_("Name and phone number. Leave it empty if there is nobody."),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "input"}),
    )
    agree = forms.BooleanField(
        label=_("I agree to have this visit by video"),
        error_messages={"required": _("Tick the box to say you agree to a video visit")},
    )
    # Which text was shown: consent is given to that one, not to a newer one.
    text = forms.ModelChoiceField(ConsentText.objects.none(), widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, texts: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if texts is None:
            del self.fields["agree"], self.fields["text"]
        else:
            self.fields["text"].queryset = texts  # type: ignore[attr-defined]

    def clean_callback_phone(self) -> str:
        phone: str = self.cleaned_data["callback_phone"].strip()
        if not 7 <= len(re.sub(r"\D", "", phone)) <= 15 or re.search(r"[^\d\s()+./x-]", phone):
            raise forms.ValidationError(_("Check the phone number: it needs 7 to 15 digits"))
        return phone


class DevicesForm(forms.Form):
    """How the device check went; empty for a check that was skipped."""

    camera = forms.ChoiceField(choices=CheckIn.Device.choices, required=False)
    microphone = forms.ChoiceField(choices=CheckIn.Device.choices, required=False)
