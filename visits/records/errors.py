"""Why a record cannot be closed or erased.

RecordError
├── OnHold        somebody ordered that it is kept
├── StillBooked   visits are to come, or have not ended: cancel or end them first
├── TooEarly      something clinical is in it, and is kept ``until`` then
├── Erased        there is nothing any more
└── NotOpen       the copy cannot be made, fetched or declined any more
"""

from datetime import date


class RecordError(Exception):
    pass


class OnHold(RecordError):
    pass


class StillBooked(RecordError):
    pass


class TooEarly(RecordError):
    def __init__(self, until: date) -> None:
        super().__init__(f"kept until {until}")
        self.until = until


class Erased(RecordError):
    pass


class NotOpen(RecordError):
    pass
