"""Who can have an account: a patient, and who acts for one."""

from accounts.models import Patient, RelatedPerson

Bearer = Patient | RelatedPerson


def column_of(bearer: Bearer) -> dict[str, Bearer]:
    """By which column a row, of accounts and of codes, says that it is theirs."""
    return {"related_person": bearer} if isinstance(bearer, RelatedPerson) else {"patient": bearer}


def patient_of(bearer: Bearer) -> Patient:
    """Whose visits their account opens."""
    return bearer.patient if isinstance(bearer, RelatedPerson) else bearer


def bearers_of(patient: Patient) -> list[Bearer]:
    """The patient, and who acts for them or did."""
    return [patient, *patient.related_persons.all()]
