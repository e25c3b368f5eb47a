"""Every look at a patient's data is on the trail: all pages are tried by all who may open them."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import AuditEvent, Clinic, Practitioner, User
from tests import factories
from tests.accounts.test_doors import ALL
from tests.booking.conftest import at, book, hours  # noqa: F401
from tests.conftest import staff
from tests.party import make_link
from tests.room.conftest import admit, patient_link  # noqa: F401
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.room import services as room
from visits.waitlist.models import WaitlistEntry

NAME = "Zzcanary"
# Parts of a page whose opening is on the trail, which the page itself asks for again and again to stay true.
SAME_LOOK = {"waiting:board"}


@pytest.fixture
def world(clinic: Clinic, clinician: User, practitioner: Practitioner, book: Callable[..., Appointment]) -> list[Any]:  # noqa: F811
    """One of everything that is a patient's."""
    patient = factories.make_patient(clinic, given_name=NAME, family_name=NAME)
    coming = book(patient=patient)
    here = factories.make_visit(practitioner, patient=patient)
    admit(here, clinician)
    encounter = room.open_encounter(principal=staff(clinician), visit=here)
    text = ConsentText.objects.filter(clinic=clinic).first()
    return [
        coming,
        here,
        patient,
        encounter,
        make_link(coming),
        CheckIn.objects.create(appointment=coming),
        Consent.objects.create(patient=patient, appointment=coming, text=text),
        WaitlistEntry.objects.create(appointment=coming, last_day=(coming.start + timedelta(days=1)).date()),
    ]


@pytest.mark.parametrize("who", ["clinician", "front_desk", "clinic_admin", "superuser"])
def test_who_sees_a_patients_name_is_on_the_trail(
    world: list[Any], verified: Callable[[User], Client], request: pytest.FixtureRequest, who: str
) -> None:
    """Row 5 of the checklist: every page is tried, and each that names a patient leaves a row at least."""
    user = request.getfixturevalue("clinic_admin" if who == "superuser" else who)
    User.objects.filter(pk=user.pk).update(is_superuser=who == "superuser")
    browser = verified(user)
    seen, unseen = set(), set()

    for name, path in every_address(world):
        before = AuditEvent.objects.count()
        answer = browser.get(path, {"day": str(at("10:00").date())} if name.startswith("calendar:") else {})
        if answer.status_code == 200 and NAME in answer.content.decode(errors="replace"):
            (seen if AuditEvent.objects.count() > before else unseen).add(name)

    assert unseen - SAME_LOOK == set()
    assert len(seen) >= 5


def every_address(world: list[Any]) -> list[tuple[str, str]]:
    """Each address of the project for each thing in ``world``; the admin's for each row that there is."""
    example = str(uuid.UUID(int=7))
    rows = {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": [row.pk for row in model._default_manager.all()]
        for model in admin.site._registry
    }
    found = []
    for name, path in ALL:
        table = next((start for start in rows if path.startswith(start)), None)
        if table and "/some/" in path:
            found += [(name, path.replace("/some/", f"/{pk}/")) for pk in rows[table]]
        elif example in path:
            found += [(name, path.replace(example, str(one.pk))) for one in world if isinstance(one.pk, uuid.UUID)]
        elif not name.startswith("accounts:"):  # which end one's own session
            found.append((name, path))
    return found
