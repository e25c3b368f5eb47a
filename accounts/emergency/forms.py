from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import EmergencyAccess


class ReasonForm(forms.Form):
    """Why a record is opened: words that somebody can judge by."""

    reason = forms.CharField(
        label=_("Why do you need this record now?"),
        min_length=10,
        max_length=EmergencyAccess._meta.get_field("reason").max_length,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"min_length": _("Say it in a sentence: somebody reads it who was not there.")},
    )
