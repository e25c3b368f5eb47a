"""Which part of the audit trail somebody wants."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, User
from accounts.policy import ROLE_LABELS


class DayField(forms.DateField):
    """A day, chosen in the browser's own calendar; of a year that every database knows."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ("%Y-%m-%d",)
    default_validators = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


class TrailForm(forms.Form):
    """All fields are optional, and what is given must all be so. Days are those of the page's time zone."""

    first = DayField(label=_("From"), required=False)
    last = DayField(label=_("Until, inclusive"), required=False)
    user = forms.ModelChoiceField(User.objects.none(), label=_("Who"), required=False)
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", "---------"), *ROLE_LABELS.items()])
    address = forms.GenericIPAddressField(
        label=_("Network address"), required=False, help_text=_("Whole, such as 192.0.2.7.")
    )
    patient = forms.UUIDField(
        label=_("Patient’s id"), required=False, help_text=_("The last part of the address of the patient’s page here.")
    )
    subtype = forms.CharField(
        label=_("Event"), max_length=48, required=False, help_text=_("Or how it begins, such as visit.")
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", "---------"), *AuditEvent.Outcome.choices]
    )

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("first") and data.get("last") and data["last"] < data["first"]:
            raise ValidationError({"last": _("The last day is before the first.")})
        return data

    def lookups(self) -> dict[str, Any]:
        """What was asked for, as the lookups of a filter on audit events."""
        data, found = self.cleaned_data, {}
        if data["first"]:
            found["recorded__gte"] = timezone.make_aware(datetime.combine(data["first"], time.min))
        if data["last"]:
            found["recorded__lt"] = timezone.make_aware(datetime.combine(data["last"] + timedelta(days=1), time.min))
        given = {
            "user": data["user"],
            "role": data["role"],
            "address": data["address"],
            "patient_id": data["patient"],
            "subtype__startswith": data["subtype"].lower(),
            "outcome": data["outcome"],
        }
        return found | {name: value for name, value in given.items() if value}
