"""Which file is to be read, and which part of the list goes into one."""

from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.audit.forms import DayField
from accounts.models import User
from accounts.policy import STAFF_ROLES
from accounts.roster.files import MAX_BYTES
from accounts.uploads.fields import UploadField

ANY = ("", "---------")


class FileForm(forms.Form):
    file = UploadField(
        max_bytes=MAX_BYTES,
        label=_("File"),
        help_text=_("CSV (UTF-8), 700 KB and 5,000 rows at most. Nothing is saved before you have seen what it does."),
        widget=forms.FileInput({"accept": ".csv,text/csv"}),
    )


class PatientsForm(forms.Form):
    """All fields are optional, and what is given must all be so."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    since = DayField(label=_("Added since"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [ANY, *User._meta.get_field("language").flatchoices]  # type: ignore[attr-defined]

    def lookups(self) -> dict[str, Any]:
        since, language = self.cleaned_data["since"], self.cleaned_data["language"]
        found = {"language": language} if language else {}
        if since:
            found["created_at__gte"] = timezone.make_aware(datetime.combine(since, time.min))
        return found


class StaffForm(forms.Form):
    """All fields are optional, and what is given must all be so."""

    role = forms.ChoiceField(label=_("Role"), required=False)
    active = forms.BooleanField(label=_("Only who works here now"), required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [ANY, *((role.value, role.label) for role in STAFF_ROLES)]  # type: ignore[attr-defined]

    def lookups(self) -> dict[str, Any]:
        found = {"role": self.cleaned_data["role"]} if self.cleaned_data["role"] else {}
        return found | ({"is_active": True} if self.cleaned_data["active"] else {})
