"""Why something could not be booked or changed.

BookingError
├── SlotTaken      somebody has that time; ``nearest`` are free ones around it
├── NotAvailable   not one of the clinician's times, or past; ``nearest`` likewise
├── PatientBusy    the patient has another ``visit`` then
├── AlreadyKnown   a new patient has the name and birth date of ``patients``
└── WrongState     the ``visit`` is past that change
"""

from collections.abc import Sequence

from accounts.models import Patient
from visits.booking.models import Appointment
from visits.schedule.slots import Slot


class BookingError(Exception):
    pass


class SlotTaken(BookingError):
    def __init__(self, nearest: Sequence[Slot] = ()) -> None:
        super().__init__("slot taken")
        self.nearest = list(nearest)


class NotAvailable(BookingError):
    def __init__(self, nearest: Sequence[Slot] = ()) -> None:
        super().__init__("not a bookable time")
        self.nearest = list(nearest)


class PatientBusy(BookingError):
    def __init__(self, visit: Appointment) -> None:
        super().__init__("patient busy")
        self.visit = visit


class AlreadyKnown(BookingError):
    def __init__(self, patients: Sequence[Patient]) -> None:
        super().__init__("patient known already")
        self.patients = list(patients)


class WrongState(BookingError):
    def __init__(self, visit: Appointment) -> None:
        super().__init__(f"visit is {visit.status}")
        self.visit = visit
