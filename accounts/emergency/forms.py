from django import forms
from django.contrib.admin.widgets import AdminRadioSelect
from django.utils.text import capfirst
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


class ReviewForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whether it was justified: one of two answers, and a note. Without either, where it is only shown."""

    finding = forms.ChoiceField(
        label=capfirst(EmergencyAccess._meta.get_field("finding").verbose_name),
        choices=[choice for choice in EmergencyAccess.Finding.choices if choice[0]],
        widget=AdminRadioSelect,
        error_messages={"required": _("Choose whether it was justified.")},
    )

    class Meta:
        model = EmergencyAccess
        fields = ("finding", "note")
        widgets = {"note": forms.Textarea(attrs={"rows": 3})}
