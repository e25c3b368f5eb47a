"""What can be done with a visit's time and state. Each verb is one transaction with its history and audit event."""

from visits.booking.errors import (
    AlreadyKnown,
    BookingError,
    Closed,
    NobodyFree,
    NotAvailable,
    PatientBusy,
    PatientInactive,
    SlotTaken,
    TooLate,
    WrongState,
)
from visits.booking.services.booking import book
from visits.booking.services.checks import changeable_until
from visits.booking.services.holds import extend, hold, release
from visits.booking.services.moving import move, move_back
from visits.booking.services.newcomers import book_new_patient
from visits.booking.services.series import (
    Occurrence,
    book_series,
    cancel_following,
    following,
    following_starts,
    move_following,
    series_starts,
    together_with,
)
from visits.booking.services.states import arrive, cancel, fulfil, miss
from visits.booking.services.walkin import takes_walk_ins, walk_in, walk_in_new_patient, walk_in_types
from visits.booking.times import free_slots

__all__ = [
    "AlreadyKnown",
    "BookingError",
    "Closed",
    "NobodyFree",
    "NotAvailable",
    "Occurrence",
    "PatientBusy",
    "PatientInactive",
    "SlotTaken",
    "TooLate",
    "WrongState",
    "arrive",
    "book",
    "book_new_patient",
    "book_series",
    "cancel",
    "cancel_following",
    "changeable_until",
    "extend",
    "following",
    "following_starts",
    "free_slots",
    "fulfil",
    "hold",
    "miss",
    "move",
    "move_back",
    "move_following",
    "release",
    "series_starts",
    "takes_walk_ins",
    "together_with",
    "walk_in",
    "walk_in_new_patient",
    "walk_in_types",
]
