"""Who is to be seen: one of the clinic's patients, found by name, birth date or phone, or somebody new."""

from datetime import date
from functools import cached_property

from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.doors import PrincipalRequest
from accounts.links import birthdate
from accounts.models import Clinic, Patient
from accounts.principal import Principal
from visits.booking import patients
from visits.booking.days import Clock
from visits.booking.forms import NewPatientForm
from visits.booking.picker import as_uuid

NEW = "new"


class Who:
    """The part of a page that asks for the patient. What is unknown or of another clinic counts as not chosen."""

    request: PrincipalRequest
    principal: Principal
    clinic: Clinic
    data: QueryDict
    clock: Clock

    @property
    def is_new(self) -> bool:
        return self._wanted_patient == NEW

    @cached_property
    def patient(self) -> Patient | None:
        pk = as_uuid(self._wanted_patient)
        return Patient.objects.filter(clinic=self.clinic, pk=pk, deactivated_at=None).first() if pk else None

    @property
    def _wanted_patient(self) -> str:
        return self.data.get("use") or self.data.get("patient", self.usual_patient())

    def usual_patient(self) -> str:
        """The id of who is meant when nobody was chosen yet; empty: nobody."""
        return ""

    @property
    def is_due(self) -> bool:
        """Whether the form was sent to do what it is for, and not to see more of it."""
        return self.data.get("do") == "book"

    @cached_property
    def newcomer(self) -> NewPatientForm:
        """The new patient's fields: checked when they are to be booked, else as they stand."""
        return NewPatientForm(self.data) if self.is_new and self.is_due else NewPatientForm(initial=self.data.dict())

    @property
    def text(self) -> str:
        return self.data.get("text", "").replace("\0", "").strip()

    @cached_property
    def matches(self) -> list[Patient]:
        if not self.text:
            return []
        return patients.search(principal=self.principal, text=self.text, request=self.request)

    @property
    def found(self) -> list[Patient]:
        """Who matches the search; the chosen patient stays among them."""
        is_extra = self.patient is not None and self.patient not in self.matches
        return [self.patient, *self.matches] if self.patient is not None and is_extra else self.matches

    @property
    def found_words(self) -> str:
        count = len(self.matches)
        if not self.text:
            return ""
        if count >= patients.LIMIT:
            return _("The first %(count)d. Type more to find the right one.") % {"count": count}
        return _("%(count)d found") % {"count": count} if count else _("Nobody found.")

    @property
    def receiver(self) -> Patient | None:
        """Who is told of the visit: the patient, or the new one as far as typed; None while that is nobody."""
        if not self.is_new:
            return self.patient
        if not self.data.get("given_name"):
            return None
        reached = {name: self.data.get(name, "").strip() for name in ("email", "phone")}
        return Patient(clinic=self.clinic, **reached)

    @property
    def new_born(self) -> date | None:
        """The birth date typed for a new patient, to be read back in words."""
        try:
            return birthdate.parse(self.data.get("birth_date", ""), self.clock.language)
        except ValueError:
            return None

    def who_is_missing(self) -> list[tuple[str, str]]:
        """What is wrong with who was chosen: where (an id on the page) and what to do."""
        if self.is_new:
            return [(bound.id_for_label, str(error)) for bound in self.newcomer for error in bound.errors]
        return [] if self.patient is not None else [("who", _("Choose a patient, or add a new one."))]
