"""What the author types. A draft may be anything that fits; what is published says something."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

from visits.summary.models import LONGEST, SEALED, SECTIONS, Composition
from visits.summary.services import Text

SHORT = 400
TOO_LONG = _("This is too long: it has %(show_value)d characters, and %(limit_value)d fit.")


class WordsField(forms.CharField):
    """Some lines of text. Browsers send two signs for the end of a line, and count one."""

    def __init__(self, *, max_length: int, rows: int, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": rows}), **kwargs)
        # No attribute of the control: a browser would cut what is pasted without a word.
        self.validators.append(MaxLengthValidator(max_length, TOO_LONG))

    def to_python(self, value: Any) -> str:
        return super().to_python(value.replace("\r\n", "\n") if value else value) or ""


class SummaryForm(forms.Form):
    what_to_do = WordsField(
        label=_("What to do now"),
        help_text=_("Medicines, tests, habits: one thing a line, the first thing first."),
        max_length=LONGEST,
        rows=6,
    )
    when_to_get_help = WordsField(
        label=_("When to get help"),
        help_text=_("What to watch for, and whom to call then."),
        max_length=LONGEST,
        rows=4,
    )
    talked_about = WordsField(
        label=_("What we talked about"),
        help_text=_("In words that the patient can show to family."),
        max_length=LONGEST,
        rows=6,
    )
    correction = WordsField(
        label=_("What is new"),
        help_text=_("The patient reads this first. For example: the dose of the evening tablet was wrong."),
        max_length=SHORT,
        rows=2,
    )
    seen = forms.CharField(max_length=20, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, version: Composition, text: Text | None = None, is_final: bool = False
    ) -> None:
        """``version`` is what the form is for, ``text`` what stands in it if not its own words; ``is_final``: it is
        to be published."""
        super().__init__(data, initial=asdict(text or Text.of(version)) | {"seen": version.token})
        self.is_final, self.is_correction = is_final, version.version > 1
        if not self.is_correction:
            del self.fields["correction"]
        for name in self.fields:
            self.fields[name].widget.attrs["lang"] = version.appointment.patient.language

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.is_final and not self.errors:
            if not any(data.get(name) for name in SECTIONS):
                self.add_error("what_to_do", _("Write something in one of the parts at least."))
            if self.is_correction and not data.get("correction"):
                self.add_error("correction", _("Say what is new."))
        return data

    def text(self) -> Text:
        """The words, once the form is valid."""
        return Text(**{name: self.cleaned_data.get(name, "") for name in SEALED})
