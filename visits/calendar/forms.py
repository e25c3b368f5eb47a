"""What people type about time off and extra hours."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from visits.schedule.models import ScheduleException


class ExceptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Time off or extra hours of one of ``people``; ``may_clinic``: or time off of everybody."""

    class Meta:
        model = ScheduleException
        fields = ["kind", "practitioner", "first_day", "last_day", "start_time", "end_time", "note"]
        labels = {"kind": _("What"), "practitioner": _("Who")}
        help_texts = {
            "last_day": _("Empty: one day."),
            "start_time": _("Empty: the whole day."),
            "note": _("Staff read it in the calendar, patients never."),
        }
        widgets = {
            "first_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "last_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "start_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "end_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "note": forms.TextInput(attrs={"autocomplete": "off"}),
        }
        error_messages = {"first_day": {"required": _("Choose the first day.")}}

    def __init__(self, *args: Any, people: list[Practitioner], may_clinic: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = people
        who = self.fields["practitioner"]
        assert isinstance(who, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        who.queryset = Practitioner.objects.filter(pk__in=[one.pk for one in people])
        who.empty_label = str(_("Whole clinic")) if may_clinic else None
        who.required = not may_clinic
        who.help_text = ""
        who.error_messages |= {"required": str(_("Choose a clinician."))}
        self.fields["last_day"].required = False
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)  # noqa: S101 - for the type checker
        kind.choices = ScheduleException.Kind.choices

    def clean_last_day(self) -> date | None:
        return self.cleaned_data["last_day"] or self.cleaned_data.get("first_day")
