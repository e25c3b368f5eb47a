"""One account is one person, below the forms too; who did what is told apart by it (45 CFR 164.312(a)(2)(i))."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Membership, Patient, User
from accounts.policy import Role
from tests import factories
from tests.party import make_account

pytestmark = pytest.mark.django_db


def refused(user: User) -> bool:
    try:
        with transaction.atomic():
            User.objects.bulk_create([user])
    except IntegrityError:
        return True
    return False


def test_no_two_accounts_have_one_address_or_none(clinician: User) -> None:
    """Row 1 of the checklist: the database refuses a second account of an address, in whatever letters."""
    assert refused(User(email=clinician.email, name="Second"))
    assert refused(User(email=clinician.email.upper(), name="Second"))
    assert refused(User(email="", name="Nobody"))
    assert not refused(User(email="other@example.org", name="Other"))


def test_a_patient_and_who_acts_for_one_have_one_account_each(patient: Patient) -> None:
    proxy = factories.make_proxy(patient)
    make_account(patient)
    make_account(proxy)

    assert refused(User(patient=patient))
    assert refused(User(related_person=proxy))
    other = factories.make_patient(patient.clinic)
    assert refused(User(patient=other, related_person=factories.make_proxy(other)))


def test_an_account_is_of_staff_or_of_a_party_never_both(patient: Patient) -> None:
    assert refused(User(patient=patient, email="rosa@example.org", name="Rosa"))
    assert refused(User(patient=patient, is_staff=True))
    assert refused(User(patient=patient, is_superuser=True))


def test_somebody_has_one_role_in_a_clinic(clinician: User) -> None:
    clinic = clinician.memberships.get().clinic
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.bulk_create([Membership(user=clinician, clinic=clinic, role=Role.FRONT_DESK)])
