"""The calendar's pages speak Spanish to who reads Spanish."""

from typing import Any

import pytest

from accounts.models import User
from tests import factories
from tests.architecture.test_translations import assert_spanish
from tests.calendar.conftest import TUESDAY, at

pytestmark = pytest.mark.django_db


def test_every_page_is_spanish(look: Any, verified: Any, clinician: User, hours: Any, patient: Any) -> None:
    User.objects.update(language="es")
    visit = factories.make_visit(hours, patient=patient, start=at("10:20"))

    for view, words in {"day": "Reservada", "week": "Teclas", "month": "visita", "print": "Se realiza por"}.items():
        assert_spanish(look(clinician, view), words)
    me = verified(clinician)
    asked = {"start": visit.start.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert_spanish(me.get(f"/calendar/move/{visit.pk}/", asked).content.decode(), "¿Cambiar esta visita de hora?")
    form = {"kind": "extra", "first_day": str(TUESDAY)}
    assert_spanish(me.post("/calendar/time-off/", form).content.decode(), "Indique desde y hasta cuándo")
    assert_spanish(me.get("/calendar/feed/").content.decode(), "Suscripción al calendario")
