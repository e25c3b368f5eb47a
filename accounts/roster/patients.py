"""A clinic's patients from and into a file: names, birth dates, how to reach them. Nothing clinical."""

import unicodedata
import uuid
from datetime import date
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.audit import services as audit
from accounts.contact import e164, normal_email, normal_record_number
from accounts.links import birthdate
from accounts.links.fields import NOBODYS_DATE
from accounts.models import AuditEvent, Clinic, Patient
from accounts.principal import Principal
from accounts.roster.rows import Row, refuse_doubles

COLUMNS = ("id", "given_name", "family_name", "birth_date", "email", "phone", "language", "time_zone", "record_number")
REQUIRED = ("given_name", "family_name", "birth_date")
EXAMPLE = ("", "Rosa", "Marín", "1979-03-14", "rosa@example.org", "(555) 010-0177", "es", "", "")
EVENT = "patient"


def check(cells: list[dict[str, str]], *, principal: Principal) -> list[Row]:
    """What each row would do: a new patient, changes of one who is there (by id, or name, birth date and e-mail), or
    what is wrong with it. Saves nothing."""
    clinic = principal.clinic
    known = list(Patient.objects.filter(clinic=clinic, erased_at=None).select_related("clinic"))
    by_id = {str(one.pk): one for one in known}
    by_person: dict[Any, list[Patient]] = {}
    for one in known:
        by_person.setdefault(_person(one.given_name, one.family_name, one.birth_date), []).append(one)
    rows = [Row(number, one) for number, one in enumerate(cells, 2)]
    for row in rows:
        _check(row, clinic, by_id, by_person)
        if row.cells["phone"] and not e164(row.cells["phone"], clinic.time_zone):
            row.refuse("phone", _("Check the phone number: it needs 7 to 15 digits"))
    refuse_doubles(rows, lambda row: row.made.pk if row.made and not row.is_new else None, "id", _said_twice())
    refuse_doubles(rows, _key, "family_name", _said_twice())
    numbers = _("This record number is in an earlier row.")
    refuse_doubles(rows, lambda row: normal_record_number(row.cells["record_number"]) or None, "record_number", numbers)
    return rows


def save(rows: list[Row], *, principal: Principal, request: Any) -> None:
    """Save what ``check`` has made, and record each. Call it in a transaction.

    Raises IntegrityError where somebody was erased meanwhile.
    """
    for row in rows:
        patient: Any = row.made
        if patient is None or row.is_same:
            continue
        if row.is_new:
            patient.save()
        else:
            _update(patient, row.changed)
        action = AuditEvent.Action.CREATE if row.is_new else AuditEvent.Action.UPDATE
        subtype = "patient.add" if row.is_new else "admin.change"
        detail = {} if row.is_new else {"fields": row.changed}
        audit.record(
            subtype, action, principal=principal, request=request, entity=patient, patient=patient, detail=detail
        )


def _update(patient: Patient, changed: list[str]) -> None:
    """Write what has changed on the row as it is now, and nothing that somebody else may have: a long file takes its
    time."""
    rows = Patient.objects.select_for_update(of=("self",), no_key=True).select_related("clinic")
    row = rows.filter(pk=patient.pk, erased_at=None).first()
    if row is None:
        raise IntegrityError("erased meanwhile")
    for name in changed:
        setattr(row, name, getattr(patient, name))
    row.save(update_fields=changed)


def listed(patients: QuerySet[Patient]) -> list[tuple[object, ...]]:
    """The patients as rows of a file; of who was erased there is nothing to tell."""
    rows = patients.filter(erased_at=None).select_related("clinic")
    return [tuple(_cell(patient, name) for name in COLUMNS) for patient in rows]


def _check(row: Row, clinic: Clinic, by_id: dict[str, Patient], by_person: dict[Any, list[Patient]]) -> None:
    cells = row.cells
    for name in REQUIRED:
        if not cells[name]:
            row.refuse(name, _("This is missing."))
    born = _born(row, clinic)
    if row.errors or born is None:
        return
    person = _person(cells["given_name"], cells["family_name"], born)
    patient = _known(row, by_id, by_person.get(person, []))
    if patient is None and not row.errors:
        patient = Patient(clinic=clinic)
    if patient is not None:
        values: dict[str, Any] = {name: cells[name] for name in COLUMNS[1:] if cells[name]}
        row.put(patient, values | {"birth_date": born})


def _known(row: Row, by_id: dict[str, Patient], same: list[Patient]) -> Patient | None:
    """Who the row is about, if they are there."""
    if row.cells["id"]:
        found = by_id.get(_uuid(row.cells["id"]))
        if found is None:
            row.refuse("id", _("No patient of the clinic has this id. Leave it empty for somebody new."))
        return found
    email = normal_email(row.cells["email"])
    found = next((one for one in same if normal_email(one.email) == email), None)
    if found is None and same:
        row.refuse("id", _("A patient of this name and birth date is there already. Give their id to change them."))
    return found


def _born(row: Row, clinic: Clinic) -> date | None:
    try:
        return birthdate.parse(row.cells["birth_date"], clinic.language) if row.cells["birth_date"] else None
    except birthdate.NobodysDate:
        row.refuse("birth_date", NOBODYS_DATE)
    except ValueError:
        row.refuse("birth_date", _("This is no birth date. Write it as 1979-03-14."))
    return None


def _person(given: str, family: str, born: date) -> tuple[str, date]:
    letters = unicodedata.normalize("NFKD", f"{given} {family}")
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split()), born


def _key(row: Row) -> Any:
    patient: Any = row.made
    if patient is None or not row.is_new:
        return None
    return (_person(patient.given_name, patient.family_name, patient.birth_date), normal_email(patient.email))


def _cell(patient: Patient, name: str) -> object:
    value = getattr(patient, name)
    return value.isoformat() if isinstance(value, date) else value


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _said_twice() -> str:
    return _("The same person is in an earlier row.")
