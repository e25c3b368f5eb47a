"""Booking for a patient whom the clinic did not know until now."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import Practitioner
from accounts.principal import Principal
from visits.booking import patients
from visits.booking.models import Appointment, Hold
from visits.booking.services.booking import book, may_book, same_booking
from visits.booking.services.locks import lock_practitioner
from visits.booking.services.series import book_series
from visits.schedule.models import VisitType


def book_new_patient(
    *,
    principal: Principal,
    practitioner: Practitioner,
    visit_type: VisitType,
    start: datetime,
    details: patients.Details,
    despite_same: bool = False,
    hold: Hold | None = None,
    later: Sequence[datetime] = (),
    weeks: int = 1,
) -> Appointment:
    """Add a patient and book for them: both or neither. Sent twice, it books once and adds one patient.

    ``later`` are more visits of a series, ``weeks`` apart. Returns the first visit; raises what ``book`` and
    ``patients.add`` raise.
    """
    may_book(principal)
    with transaction.atomic():
        # Before the look at who is known, so that the same form sent twice at once sees its first half.
        practitioner = lock_practitioner(principal.clinic, practitioner.pk)
        for known in patients.same_person(principal.clinic, details):
            already = same_booking(principal, practitioner, known, visit_type, start)
            if already is not None:
                return already
        patient = patients.add(principal=principal, details=details, despite_same=despite_same)
        if later:
            return book_series(
                principal=principal,
                practitioner=practitioner,
                patient=patient,
                visit_type=visit_type,
                starts=[start, *later],
                weeks=weeks,
                hold=hold,
            )[0]
        return book(
            principal=principal,
            practitioner=practitioner,
            patient=patient,
            visit_type=visit_type,
            start=start,
            hold=hold,
        )
