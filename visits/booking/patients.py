"""Finding the clinic's patients and adding new ones."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MINYEAR, date, datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.contact import digits, e164, last_digits, normal_email, normal_record_number
from accounts.models import Clinic, Patient
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.errors import AlreadyKnown

LIMIT = 10
MIN_LETTERS = 2
WHOLE_NUMBER = 10  # digits: fewer may be without the area
# A letter stands for its accented forms too: "marin" finds Marín.
ACCENTED = {
    "a": "aáàâäãåā",
    "c": "cçć",
    "e": "eéèêëē",
    "i": "iíìîïī",
    "n": "nñń",
    "o": "oóòôöõøō",
    "s": "sśš",
    "u": "uúùûüū",
    "y": "yýÿ",
    "z": "zžźż",
}
DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")


@dataclass(frozen=True)
class Details:
    """What a clinic needs to know of a new patient."""

    given_name: str
    family_name: str
    birth_date: date
    email: str = ""
    phone: str = ""
    language: str = "en"


def find(clinic: Clinic, text: str, *, with_inactive: bool = False) -> list[Patient]:
    """At most ``LIMIT`` patients of the clinic who match every word of ``text``: those for whom visits can be booked,
    or all that have a name.

    A word is part of a name, a whole e-mail address, phone number or record number, the last four digits of a phone
    number, a year of birth, or a whole birth date. Fewer than two letters or digits find nobody.
    """
    words = text.split()[:6]
    if sum(letter.isalnum() for letter in text) < MIN_LETTERS:
        return []
    found: QuerySet[Patient] = Patient.objects.filter(clinic=clinic, erased_at=None)
    if not with_inactive:
        found = found.filter(deactivated_at=None)
    numbers = [word for word in words if _is_number(word)]
    for word in words:
        if word not in numbers:
            found = found.filter(_matches(word))
    if numbers:
        # A number may be written with spaces, or be several words.
        found = found.filter(
            _has_number(" ".join(numbers), clinic) | Q(*(_matches_number(one, clinic) for one in numbers))
        )
    return list(found[:LIMIT])


def search(*, principal: Principal, text: str, request: HttpRequest | None = None) -> list[Patient]:
    """``find`` for a person, recorded as a search: how many were found, never what was searched for.

    Raises PermissionDenied for a role that may not search.
    """
    if not principal.may(Action.PATIENT_SEARCH):
        raise PermissionDenied
    with transaction.atomic():
        found = find(principal.clinic, text)
        note_found(found, principal=principal, request=request)
    return found


def note_found(found: Sequence[Patient], *, principal: Principal, request: HttpRequest | None) -> None:
    """Record how many patients somebody was shown by what they typed, never what that was."""
    record("patient.search", Audit.EXECUTE, principal=principal, request=request, detail={"found": len(found)})


def add(*, principal: Principal, details: Details, despite_same: bool = False) -> Patient:
    """Add a patient to the clinic.

    Raises AlreadyKnown when one of the same name and birth date exists, unless ``despite_same``;
    PermissionDenied for a role that may not book.
    """
    if not principal.may(Action.VISIT_BOOK):
        raise PermissionDenied
    with transaction.atomic():
        known = same_person(principal.clinic, details)
        if known and not despite_same:
            raise AlreadyKnown(known)
        patient = Patient.objects.create(
            clinic=principal.clinic,
            given_name=details.given_name,
            family_name=details.family_name,
            birth_date=details.birth_date,
            email=details.email,
            phone=details.phone,
            language=details.language,
        )
        record("patient.add", Audit.CREATE, principal=principal, entity=patient, patient=patient)
        return patient


def same_person(clinic: Clinic, details: Details) -> list[Patient]:
    """The clinic's patients of the same name, whatever case and accents, and birth date."""
    born_then = clinic.patients.filter(birth_date=details.birth_date)
    name = _plain(f"{details.given_name} {details.family_name}")
    return [patient for patient in born_then if _plain(patient.full_name) == name]


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).casefold().split())


def _is_number(word: str) -> bool:
    return bool(digits(word)) and not set(word) - set("0123456789()-./+")


def _matches(word: str) -> Q:
    if "@" in word:
        return Q(email_hash__of=normal_email(word))
    pattern = "".join(_letter(letter) for letter in _plain(word))
    return Q(given_name__iregex=pattern) | Q(family_name__iregex=pattern) | _has_record_number(word)


def _matches_number(word: str, clinic: Clinic) -> Q:
    match = _has_number(word, clinic) | _has_record_number(word)
    if len(word) == 4 and word.isdecimal() and int(word) >= MINYEAR:
        match |= Q(birth_date__year=int(word))
    for born in _dates(word):
        match |= Q(birth_date=born)
    return match


def _has_record_number(word: str) -> Q:
    return Q(record_number_hash__of=normal_record_number(word))


def _has_number(number: str, clinic: Clinic) -> Q:
    """The phone number itself; of what may be the end of one its last four digits."""
    match = Q(phone_hash__of=e164(number, clinic.time_zone))
    return match if len(digits(number)) >= WHOLE_NUMBER else match | Q(last_digits_hash__of=last_digits(number))


def _letter(letter: str) -> str:
    """A pattern for the letter in every form; both cases, since a C locale knows no case beyond ASCII."""
    forms = ACCENTED.get(letter)
    return f"[{forms}{forms.upper()}]" if forms else re.escape(letter)


def _dates(word: str) -> set[date]:
    """Every date that the word can mean: both orders of day and month."""
    found = set()
    for form in DATE_FORMATS:
        try:
            found.add(datetime.strptime(word, form).date())
        except ValueError:
            continue
    return found
