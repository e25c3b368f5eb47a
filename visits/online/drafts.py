"""What somebody has typed and chosen so far while booking: in their session on the server, nowhere else.

Each booking that is under way has a draft of its own, so that two windows do not mix.
"""

import uuid
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from accounts.models import Clinic
from visits.booking.models import Hold
from visits.booking.patients import Details

KEY = "booking-drafts"
MOST = 4  # the oldest goes first
LAST = timedelta(hours=1)


@dataclass
class Draft:
    """Plain values only: it is kept as JSON."""

    clinic: str
    visit_type: str
    zone: str
    is_walk_in: bool = False
    # Whom they chose; empty for whoever is free first. What is held is with one clinician in any case.
    practitioner: str = ""
    start: str = ""
    hold: str = ""
    verification: str = ""
    # As typed, to be shown again; and as understood, once it was all right.
    typed: dict[str, str] = field(default_factory=dict)
    given_name: str = ""
    family_name: str = ""
    birth_date: str = ""
    pk: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: float = field(default_factory=lambda: timezone.now().timestamp())

    @property
    def wanted(self) -> datetime | None:
        return datetime.fromisoformat(self.start) if self.start else None

    @property
    def is_filled_in(self) -> bool:
        return bool(self.birth_date)

    def details(self) -> Details:
        return Details(
            given_name=self.given_name,
            family_name=self.family_name,
            birth_date=date.fromisoformat(self.birth_date),
        )

    def holds(self, hold: Hold) -> None:
        """From now on this is the time that is kept; a code that was sent for another proves nothing here."""
        self.hold, self.start, self.verification = str(hold.pk), hold.start.isoformat(), ""


def find(session: SessionBase, clinic: Clinic, pk: uuid.UUID | str) -> Draft | None:
    """The draft of this browser at this clinic, if it is not too old."""
    kept = _kept(session).get(str(pk))
    return Draft(**kept) if kept and kept["clinic"] == str(clinic.pk) else None


def keep(session: SessionBase, draft: Draft) -> list[Draft]:
    """Put it into the session; return those that had to make room."""
    kept = _kept(session) | {draft.pk: asdict(draft)}
    oldest = sorted(kept, key=lambda pk: kept[pk]["began"])[: max(0, len(kept) - MOST)]
    gone = [Draft(**kept.pop(pk)) for pk in oldest if pk != draft.pk]
    session[KEY] = kept
    return gone


def end(session: SessionBase, draft: Draft) -> None:
    session[KEY] = {pk: kept for pk, kept in _kept(session).items() if pk != draft.pk}


def _kept(session: SessionBase) -> dict[str, dict[str, Any]]:
    since = (timezone.now() - LAST).timestamp()
    return {pk: kept for pk, kept in session.get(KEY, {}).items() if kept["began"] > since}
