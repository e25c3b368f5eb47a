"""What a patient types: who they are and where to reach them, the code, why they move or cancel."""

from typing import Any

from django import forms
from django.core import signing
from django.utils.translation import gettext_lazy as _

from accounts.contact import e164
from accounts.links.fields import BirthDateField
from visits.online.models import Verification

Channel = Verification.Channel

# Nobody reads and fills in five fields faster.
QUICKEST = 2  # seconds
_clock = signing.TimestampSigner(salt="online.person")


class PersonForm(forms.Form):
    """Who it is. Programs give themselves away by a field that people do not see, and by their speed."""

    given_name = forms.CharField(
        label=_("First name"),
        max_length=60,
        error_messages={"required": _("Enter your first name.")},
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    family_name = forms.CharField(
        label=_("Last name"),
        max_length=60,
        error_messages={"required": _("Enter your last name.")},
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )
    birth_date = BirthDateField(
        label=_("Birth date"),
        error_messages={"required": _("Enter your birth date.")},
        widget=forms.TextInput(attrs={"autocomplete": "bday"}),
    )
    channel = forms.ChoiceField(
        label=_("How do we reach you?"),
        choices=[(Channel.EMAIL, _("By e-mail")), (Channel.SMS, _("By text message"))],
        initial=Channel.EMAIL,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how we reach you.")},
    )
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("We send a code there now, and the link to your visit."),
        max_length=254,
        required=False,
        error_messages={"invalid": _("Enter an e-mail address like name@example.org.")},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    phone = forms.CharField(
        label=_("Mobile phone"),
        help_text=_("We send a code there now, and the link to your visit."),
        max_length=32,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
    )
    # People never see it.
    website = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    shown = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    TYPED = ("given_name", "family_name", "birth_date", "channel", "email", "phone")

    def __init__(self, *args: Any, zone: str, by_sms: bool, **kwargs: Any) -> None:
        """``zone`` is where they are: phone numbers are read as people write them there."""
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.use_required_attribute = False
        if not by_sms:
            self.fields["channel"].widget = forms.HiddenInput()
            self.fields["channel"].choices = [(Channel.EMAIL, _("By e-mail"))]  # type: ignore[attr-defined]
            del self.fields["phone"]
        self.initial["shown"] = _clock.sign("")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("channel") == Channel.SMS:
            # They changed their mind: the field is hidden with what was wrong in it.
            self.errors.pop("email", None)
            data["address"] = e164(data.get("phone", ""), self.zone)
            if not data["address"]:
                self.add_error("phone", _("Check the phone number: it needs 7 to 15 digits"))
        elif data.get("channel") == Channel.EMAIL:
            data["address"] = data.get("email", "")
            if not data["address"] and "email" not in self.errors:
                self.add_error("email", _("Enter your e-mail address."))
        if not self.errors and (data.get("website") or self._is_too_quick(data.get("shown", ""))):
            self.add_error(None, _("That was very quick. Check what you typed and press Continue once more."))
        return data

    @staticmethod
    def _is_too_quick(shown: str) -> bool:
        try:
            _clock.unsign(shown)
        except signing.BadSignature:
            return True
        try:
            _clock.unsign(shown, max_age=QUICKEST)
        except signing.SignatureExpired:
            return False
        return True


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        error_messages={"required": _("Type the six digits.")},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why? (optional)"),
        help_text=_("Only the clinic reads it."),
        max_length=200,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
