"""What is in the way of a booking, in words, and what to take instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.utils.translation import gettext as _

from accounts.models import Clinic
from visits.booking import services as booking
from visits.booking.days import Clock, near, value_of
from visits.booking.models import Appointment, Hold
from visits.booking.picker import ANY
from visits.online.drafts import Draft
from visits.online.picker import Picker
from visits.schedule.models import SchedulePolicy


@dataclass(frozen=True)
class Trouble:
    """What happened, what to do, and ``times`` to take instead: value and words. ``can_book``: or any other time."""

    title: str
    text: str
    times: Sequence[tuple[str, str]] = ()
    can_book: bool = False


def hold_of(draft: Draft | None) -> Hold | None:
    """What is kept for the draft, while it is kept."""
    if draft is None or not draft.hold:
        return None
    hold = Hold.objects.select_related("practitioner__clinic", "visit_type", "clinic").filter(pk=draft.hold).first()
    return hold if hold and hold.is_live() else None


def picker_of(clinic: Clinic, draft: Draft, start: str = "") -> Picker:
    """The times for what the draft asks for; ``start`` is the one just chosen."""
    data = {"type": draft.visit_type, "with": draft.practitioner or ANY, "zone": draft.zone, "choose": start}
    return Picker(clinic, data, hold=hold_of(draft))


def of_time(clinic: Clinic, draft: Draft) -> Trouble | None:
    """What became of the draft's time, if it is not kept any more."""
    if draft.is_walk_in or hold_of(draft) is not None:
        return None
    picker = picker_of(clinic, draft)
    wanted = cast(datetime, draft.wanted)
    if not picker.who_is_free(wanted):
        return just_taken(picker, wanted)
    time = {"time": picker.clock.at(wanted).time}
    return Trouble(
        _("Your time has run out"),
        _("We kept %(time)s for five minutes. It is still free, and everything you typed is still here.") % time,
        [(value_of(wanted), _("Keep %(time)s again") % time)],
    )


def just_taken(picker: Picker, wanted: datetime) -> Trouble:
    offers = near(picker.nearest(wanted), wanted, picker.clock)
    if offers:
        words = _("Everything you typed is still here. Nearest free times:")
    else:
        words = _("Everything you typed is still here. Choose another day or clinician.")
    return Trouble(_("%(time)s was just taken") % {"time": picker.clock.at(wanted).time}, words, offers)


def already_has(visit: Appointment, clock: Clock) -> Trouble:
    at = clock.at(visit.start)
    words = _("You have a visit on %(day)s at %(time)s with %(clinician)s. Choose another time.")
    names = {"day": at.short_day, "time": at.time, "clinician": visit.practitioner.name}
    return Trouble(_("You already have a visit then"), words % names)


def no_time() -> Trouble:
    return Trouble(_("There is a problem"), _("Choose a time."))


def too_many_holds(clinic: Clinic) -> Trouble:
    words = _("Others on your network are booking, too. Try again in five minutes, or call us at %(phone)s.")
    return Trouble(_("No other time can be kept right now"), words % {"phone": clinic.phone})


def too_many_walk_ins(clinic: Clinic) -> Trouble:
    words = _("Many people on your network began just now. Try again in ten minutes, or call us at %(phone)s.")
    return Trouble(_("Too many tries"), words % {"phone": clinic.phone})


def too_many_codes(clinic: Clinic) -> Trouble:
    words = _("Many codes were sent. Try again in an hour, or call us at %(phone)s.")
    return Trouble(_("Too many tries"), words % {"phone": clinic.phone})


def code_ended() -> Trouble:
    return Trouble(
        _("This code does not work any more"),
        _("It was used, five minutes have passed, or it was typed wrong five times. Send a new one."),
    )


def refused(clinic: Clinic, draft: Draft, refusal: booking.BookingError) -> Trouble:
    """Why there is no visit although the code was right. Raises what nobody can do anything about."""
    phone = {"phone": clinic.phone}
    can_book = SchedulePolicy.of(clinic).online_booking
    match refusal:
        case booking.PatientBusy():
            return already_has(refusal.visit, picker_of(clinic, draft).clock)
        case booking.SlotTaken() | booking.NotAvailable():
            return just_taken(picker_of(clinic, draft), refusal.start)
        case booking.PatientInactive():
            return Trouble(_("We cannot book this for you here"), _("Call us at %(phone)s.") % phone)
        case booking.Closed():
            words = _("Book a time, or call us at %(phone)s.") if can_book else _("Call us at %(phone)s.")
            return Trouble(_("The clinic is closed now"), words % phone, can_book=can_book)
        case booking.NobodyFree():
            words = (
                _("Book a time on another day, or call us at %(phone)s.") if can_book else _("Call us at %(phone)s.")
            )
            return Trouble(_("Nobody has time left today"), words % phone, can_book=can_book)
    raise refusal
