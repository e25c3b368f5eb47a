"""A clinic whose patients book for themselves, and one who does, as a browser without a script."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.core import mail, signing
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Clinic, Practitioner
from tests import factories
from tests.booking.conftest import at
from tests.booking.conftest import hours as hours
from visits.booking.days import value_of
from visits.booking.models import Appointment
from visits.online import codes
from visits.online.models import Verification
from visits.schedule.models import SchedulePolicy, VisitType

PAGE = "/book/riverside/"
PERSON = {
    "given_name": "Halima",
    "family_name": "Yusuf",
    "birth_date": "4/30/1985",
    "channel": "email",
    "email": "halima@example.org",
}


def long_ago() -> str:
    """What a form carries that was shown a while ago."""
    signer = signing.TimestampSigner(salt="online.person")
    signer.timestamp = lambda: signing.b62_encode(int(timezone.now().timestamp()) - 60)  # type: ignore[method-assign]
    return signer.sign("")


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def policy(clinic: Clinic) -> SchedulePolicy:
    return SchedulePolicy.objects.create(clinic=clinic, online_booking=True)


@pytest.fixture
def check_up(clinic: Clinic, policy: SchedulePolicy, hours: Practitioner) -> VisitType:
    """Twenty minutes that patients may book, with a clinician who has hours."""
    return factories.make_visit_type(clinic, name="Check-up", booked_by=VisitType.BookedBy.PATIENT)


class Browser:
    """Somebody at the booking page."""

    def __init__(self, visit_type: VisitType, page: str = PAGE, *, address: str = "127.0.0.1") -> None:
        self.client = Client(REMOTE_ADDR=address)
        self.visit_type = visit_type
        self.page = page
        self.here = ""

    def choose(self, start: datetime | None = None, **changes: str) -> Any:
        """Choose a time; on success stands at the next page."""
        form = {"type": str(self.visit_type.pk), "with": "any", "zone": "America/Chicago"}
        answer = self.client.post(self.page, {**form, "start": value_of(start or at("10:00")), **changes})
        return self._note(answer)

    def tell(self, **changes: str) -> Any:
        """Say who it is."""
        return self._note(self.client.post(self.here, {**PERSON, "shown": long_ago(), **changes}))

    def type(self, code: str) -> Any:
        return self.client.post(self.here, {"code": code})

    def _note(self, answer: Any) -> Any:
        if answer.status_code == 302:
            self.here = answer["Location"]
        return answer

    def book(self, start: datetime | None = None, **person: str) -> Appointment:
        """All the way."""
        self.choose(start)
        self.tell(**person)
        answer = self.type(code_sent())
        assert answer.status_code == 302, answer.content.decode()
        return Appointment.objects.get(pk=answer["Location"].split("/")[2])


def code_sent() -> str:
    """Have the newest code delivered; read it in the mail."""
    codes.deliver(Verification.objects.select_related("clinic").latest("created_at"))
    found = re.search(r"\b(\d{6})\b", mail.outbox[-1].body)
    assert found
    return found[1]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


@pytest.fixture
def halima(check_up: VisitType) -> Browser:
    return Browser(check_up)
