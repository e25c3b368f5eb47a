"""What an admin types to copy a week."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from visits.schedule.models import check_year

WEEK = timedelta(days=7)
MOST = 53  # weeks at once


class DayField(forms.DateField):
    """A day, chosen in the browser's own calendar."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ("%Y-%m-%d",)
    default_validators = [check_year]


class CopyWeekForm(forms.Form):
    practitioner = forms.ModelChoiceField(Practitioner.objects.none(), label=_("Clinician"))
    week = DayField(label=_("Week to copy"), help_text=_("Any day of it; weeks begin on Monday."))
    first = DayField(label=_("First week that gets a copy"))
    last = DayField(label=_("Last week that gets a copy"), help_text=_("The first again for one week alone."))

    def __init__(self, *args: Any, people: QuerySet[Practitioner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].queryset = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if {"week", "first", "last"} <= data.keys():
            weeks = (_monday(data["last"]) - _monday(data["first"])) // WEEK + 1
            if weeks < 1:
                raise ValidationError({"last": _("The last week is before the first.")})
            if weeks > MOST:
                raise ValidationError({"last": _("At most %(count)d weeks at once.") % {"count": MOST}})
        return data

    @property
    def from_monday(self) -> date:
        return _monday(self.cleaned_data["week"])

    @property
    def to_mondays(self) -> list[date]:
        first, last = _monday(self.cleaned_data["first"]), _monday(self.cleaned_data["last"])
        return [first + n * WEEK for n in range((last - first) // WEEK + 1)]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
