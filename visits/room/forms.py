"""What a guest's link is made from."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessLink


class GuestForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("The others in the visit see this name."))
    relationship = forms.ChoiceField(label=_("Comes as"), choices=AccessLink.Relationship.choices)
