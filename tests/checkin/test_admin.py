"""The agreement in the admin."""

from typing import Any

import pytest

from accounts.models import Clinic
from accounts.policy import Role
from tests import factories
from visits.checkin.models import ConsentText


@pytest.mark.parametrize(
    ("there", "language", "version"), [([], "es", 1), (["es"], "en", 1), (["es", "en"], "es", 2), (["en"], "es", 1)]
)
def test_a_new_agreement_begins_with_what_is_missing(
    db: Any, verified: Any, there: list[str], language: str, version: int
) -> None:
    clinic = Clinic.objects.create(name="Lakeside", slug="lakeside", phone="(555) 010-0142", language="es")
    for one in there:
        ConsentText.objects.create(clinic=clinic, language=one, version=1, body="I agree to a video visit.")
    page = verified(factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True)).get(
        "/admin/checkin/consenttext/add/"
    )
    form = page.context["adminform"].form

    assert (form["language"].value(), form["version"].value()) == (language, version)
