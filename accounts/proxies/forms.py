"""What staff type about who acts for a patient; the same in the admin."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.contact import e164
from accounts.models import Patient, RelatedPerson, User
from accounts.proxies import services

Basis, Messages = RelatedPerson.Basis, RelatedPerson.Messages
SAME = _("This person acts for the patient already. Change that instead.")
OWN = _("This is your own e-mail address. Ask a colleague to enter what you may do for the patient.")
OWN_STORED = _(
    "This was entered with your own e-mail address. Ask a colleague to change what you may do for the patient."
)


class GrantForm(forms.ModelForm):  # type: ignore[type-arg]
    """One grant; ``patient`` is whom it is for, where the form does not ask, and ``by`` who fills it in."""

    by: User | None = None

    class Meta:
        model = RelatedPerson
        fields = [
            "given_name", "family_name", "relationship", "basis", "basis_note", "manages", "joins", "reads",
            "email", "phone", "language", "messages", "valid_from", "valid_until",
        ]  # fmt: skip
        labels = {"relationship": _("To the patient"), "basis": _("Why they may act")}
        help_texts = {
            "basis_note": _("For example: birth certificate, seen at the desk."),
            "manages": _("They get the links, change or cancel, and check in for the patient."),
            "joins": _("They wait and take part in the call, under their own name."),
            "reads": _("Leave it out where a teenager’s answers are not the parents’ to read."),
            "valid_from": _("Empty: from today."),
            "valid_until": _("The last day. Empty: until it ends."),
        }
        widgets = {
            "given_name": forms.TextInput(attrs={"autocomplete": "off"}),
            "family_name": forms.TextInput(attrs={"autocomplete": "off"}),
            "basis_note": forms.TextInput(attrs={"autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "off"}),
            "phone": forms.TextInput(attrs={"autocomplete": "off", "type": "tel"}),
            "valid_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "valid_until": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }
        error_messages = {
            "given_name": {"required": _("Enter the first name.")},
            "family_name": {"required": _("Enter the last name.")},
            "relationship": {"required": _("Choose what they are to the patient.")},
            "basis": {"required": _("Choose why they may act.")},
        }

    def __init__(self, *args: Any, patient: Patient | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        if patient is not None:
            self.instance.patient = patient
        if not self.fields:  # in the admin, for who only looks
            return
        self.fields["valid_from"].required = False
        choose = [("", _("Choose"))]
        for name, choices in (("relationship", RelatedPerson.Relationship.choices), ("basis", Basis.choices)):
            self.fields[name].choices = [*choose, *choices]  # type: ignore[attr-defined]

    def validate_constraints(self) -> None:
        """``clean`` says it at the fields; the database could not be asked of what is sealed."""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        patient: Patient = self.instance.patient
        if not (data.get("manages") or data.get("joins") or data.get("reads")):
            self.add_error("manages", _("Choose at least one thing that they may do."))
        has_address = data.get("email") or data.get("phone") or "email" in self.errors
        if data.get("messages") != Messages.PATIENT and not has_address:
            self.add_error("email", _("Enter an e-mail address or a phone number, since messages go there."))
        if self.by is not None and services.is_own(self.instance, self.by):  # which is still as it is stored
            self.add_error("email", OWN_STORED)
        elif self.by is not None and services.is_own(RelatedPerson(email=data.get("email", "")), self.by):
            self.add_error("email", OWN)
        if data.get("phone") and not e164(data["phone"], patient.clinic.time_zone):
            self.add_error("phone", _("Check the phone number: it needs 7 to 15 digits"))
        self._clean_dates(data, patient)
        names = {"given_name": data.get("given_name", ""), "family_name": data.get("family_name", "")}
        if services.same_person(RelatedPerson(pk=self.instance.pk, patient=patient, **names)) is not None:
            self.add_error("given_name", SAME)
        return data

    def _clean_dates(self, data: dict[str, Any], patient: Patient) -> None:
        data["valid_from"] = begin = data.get("valid_from") or services.today_of(patient)
        until: date | None = data.get("valid_until")
        if data.get("basis") == Basis.MINOR:
            last_day = patient.of_age_on - timedelta(days=1)
            if begin > last_day or (until or last_day) > last_day:
                self.add_error("basis" if begin > last_day else "valid_until", of_age_words(patient.of_age_on))
                return
            data["valid_until"] = until = until or last_day
        if until is not None and until < begin:
            self.add_error("valid_until", _("The last day is before the first."))

    def refuse(self, refusal: Exception) -> None:
        """Say at its field what the service refused."""
        match refusal:
            case services.AlreadyGranted():
                self.add_error("given_name", SAME)
            case services.OwnGrant():
                self.add_error("email", OWN)
            case services.OfAge():
                self.add_error("valid_until", of_age_words(refusal.since))
            case services.Ended():
                self.add_error(None, _("It was ended meanwhile. Nothing of it changes any more."))
            case _:
                raise refusal


def of_age_words(since: date) -> Any:
    return _("The patient is of age on %(day)s. From then on nobody acts for them as a parent.") % {
        "day": date_format(since, "DATE_FORMAT")
    }
