"""Whether and when a patient reads of an offer: by the rules of the ledger, asked before the message is written."""

from datetime import datetime
from itertools import product

from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.waitlist.models import WaitlistEntry

Kind = Communication.Kind


def readable_at(entry: WaitlistEntry, now: datetime) -> datetime | None:
    """When a message about an earlier time would reach the patient, or who acts for them: later than ``now`` in quiet
    hours.

    None when they have no address for it, or want no such messages.
    """
    visit = entry.appointment
    times = []
    for person, channel in product(rules.recipients(visit.patient), rules.channels(visit.clinic, Kind.OFFER)):
        message = Communication(
            appointment=visit,
            patient=visit.patient,
            related_person=person,
            revision=visit.revision,
            kind=Kind.OFFER,
            channel=channel,
            details={"until": visit.start.isoformat()},
        )
        if not rules.why_not(message, now=now):
            times.append(rules.waits_until(message, now=now) or now)
    return min(times, default=None)
