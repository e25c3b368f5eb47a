"""What people type about time off and extra hours."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from visits.schedule.models import ScheduleException

Kind = ScheduleException.Kind


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
        kind.choices = Kind.choices

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first = data.get("first_day")
        if first and not data.get("last_day") and "last_day" not in self.errors:
            data["last_day"] = first
        last, start, end = data.get("last_day"), data.get("start_time"), data.get("end_time")
        if first and last and last < first:
            self.add_error("last_day", _("The last day must not be before the first."))
        if (start is None) != (end is None) and not {"start_time", "end_time"} & set(self.errors):
            self.add_error("end_time" if start else "start_time", _("Give both times, or none for whole days."))
        if start and end and end <= start:
            self.add_error("end_time", _("The end must be after the start."))
        if data.get("kind") == Kind.EXTRA:
            if start is None and end is None:
                self.add_error("start_time", _("Say from when to when there are extra hours."))
            if data.get("practitioner") is None and "practitioner" not in self.errors:
                self.add_error("practitioner", _("Choose whose extra hours they are."))
        return data
