"""What somebody asks for who would come earlier."""

from datetime import date

from django import forms
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from visits.schedule.models import Weekday
from visits.waitlist.fitting import Part
from visits.waitlist.models import WaitlistEntry

PARTS = {
    Part.MORNING: _("Morning, before noon"),
    Part.AFTERNOON: _("Afternoon, noon to 5 pm"),
    Part.EVENING: _("Evening, after 5 pm"),
}


class Radios(forms.RadioSelect):
    """An error summary leads to the first of them."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return super().id_for_label(id_, index or "0")


class Checks(forms.CheckboxSelectMultiple):
    """An error summary leads to the first of them."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return super().id_for_label(id_, index or "0")


class WishForm(forms.Form):
    """Days and times are of the patient's clock: ``today`` and ``booked`` are days there, too."""

    anyone = forms.TypedChoiceField(
        label=_("With whom?"),
        choices=[],
        coerce=lambda value: value == "yes",
        widget=Radios,
        error_messages={"required": _("Choose with whom.")},
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On which days?"),
        choices=Weekday.choices,
        coerce=int,
        widget=Checks,
        error_messages={"required": _("Choose at least one day.")},
    )
    parts = forms.TypedMultipleChoiceField(
        label=_("At what times?"),
        choices=PARTS.items(),
        coerce=Part,
        widget=Checks,
        error_messages={"required": _("Choose at least one time of day.")},
    )
    last_day = forms.DateField(
        label=_("Until which day?"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": _("Enter a day."), "invalid": _("Enter a day like 2026-11-24.")},
    )

    def __init__(
        self, data: QueryDict | None, *, entry: WaitlistEntry | None, clinician: str, today: date, booked: date
    ) -> None:
        initial = {
            "anyone": "yes" if entry and entry.anyone else "no",
            "weekdays": list(entry.weekdays) if entry else list("0123456"),
            "parts": entry.parts if entry else list(Part),
            "last_day": entry.last_day if entry else booked,
        }
        super().__init__(data, initial=initial)
        self.today, self.booked = today, booked
        self.fields["anyone"].choices = [  # type: ignore[attr-defined]
            ("no", format_lazy(_("Only {clinician}"), clinician=clinician)),
            ("yes", _("Anybody who offers this visit")),
        ]
        self.fields["last_day"].widget.attrs |= {"min": today.isoformat(), "max": booked.isoformat()}

    def clean_last_day(self) -> date:
        day: date = self.cleaned_data["last_day"]
        if day < self.today:
            raise forms.ValidationError(_("That day has passed. Choose a day from today on."))
        # Later ones say the same: earlier than the visit.
        return min(day, self.booked)
