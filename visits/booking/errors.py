"""Why something could not be booked or changed.

BookingError
├── Refused        that time cannot be had; ``nearest`` are free ones around it
│   ├── SlotTaken      somebody has it, or is booking it
│   └── NotAvailable   not one of the clinician's times, not offered, or past
├── PatientBusy    the patient has another ``visit`` then, or waits for it
├── PatientInactive nothing is booked for the patient any more
├── Closed         the clinic takes nobody without an appointment now
├── NobodyFree     no clinician has time left today for who comes without one
├── AlreadyKnown   a new patient has the name and birth date of ``patients``
├── TooLate        patients could change the ``visit`` by themselves ``until`` then
└── WrongState     the ``visit`` is past that change
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from accounts.models import Patient, Practitioner
from visits.booking.models import Appointment
from visits.booking.times import nearest_free
from visits.schedule.models import VisitType
from visits.schedule.slots import Slot


class BookingError(Exception):
    pass


class Refused(BookingError):
    def __init__(self, practitioner: Practitioner, visit_type: VisitType, start: datetime) -> None:
        super().__init__(type(self).__name__)
        self.practitioner = practitioner
        self.visit_type = visit_type
        self.start = start

    @cached_property
    def nearest(self) -> list[Slot]:
        """Looked up when asked for: outside of the lock under which the time was refused."""
        if not (self.practitioner.is_active and self.visit_type.is_active):
            return []
        return nearest_free(practitioner=self.practitioner, visit_type=self.visit_type, wanted=self.start)


class SlotTaken(Refused):
    pass


class NotAvailable(Refused):
    pass


class PatientBusy(BookingError):
    def __init__(self, visit: Appointment) -> None:
        super().__init__("patient busy")
        self.visit = visit


class PatientInactive(BookingError):
    pass


class Closed(BookingError):
    pass


class NobodyFree(BookingError):
    pass


class AlreadyKnown(BookingError):
    def __init__(self, patients: Sequence[Patient]) -> None:
        super().__init__("patient known already")
        self.patients = list(patients)


class TooLate(BookingError):
    def __init__(self, visit: Appointment, until: datetime) -> None:
        super().__init__("too late for patients")
        self.visit = visit
        self.until = until


class WrongState(BookingError):
    def __init__(self, visit: Appointment) -> None:
        super().__init__(f"visit is {visit.status}")
        self.visit = visit
