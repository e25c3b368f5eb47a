"""What a message says, in the language of the moment; true at the moment of sending, not when it was planned.

First name only, no clinical word, and in headlines nothing but the time of the visit.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Practitioner
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment

Kind = Communication.Kind


@dataclass(frozen=True)
class Wording:
    message: Communication
    now: datetime

    @cached_property
    def at(self) -> Moment:
        """When the visit is, or the time that is offered, on the clinic's clock."""
        start = _instant(self.message, "start") or self.message.visit.start
        return Moment(start, self.message.patient.clinic.time_zone, self.language)

    @cached_property
    def _home(self) -> Moment:
        return Moment(self.at.instant, self.message.patient.home_zone, self.language)

    @cached_property
    def at_home(self) -> Moment | None:
        """The same instant where the patient is, when clocks differ there."""
        return None if self._home.is_same_clock(self.at) else self._home

    @cached_property
    def was(self) -> Moment | None:
        """Of a visit that moved: the time that the patient knew."""
        old = _instant(self.message, "old_start")
        return Moment(old, self.at.zone, self.language) if old and old != self.at.instant else None

    @cached_property
    def others(self) -> list[Appointment]:
        """The other visits of its series that this message names, as long as they are as it names them."""
        named = dict(self.message.details.get("named", []))
        if not named:
            return []
        visits = Appointment.objects.filter(pk__in=named, status=rules.OF_SERIES[Kind(self.message.kind)])
        found = visits.select_related("clinic", "patient", "practitioner").order_by("start")
        return [visit for visit in found if visit.revision == named[str(visit.pk)]]

    @property
    def other_dates(self) -> list[str]:
        """When the ``others`` are, in short."""
        return [self.in_short(visit.start) for visit in self.others]

    def in_short(self, instant: datetime) -> str:
        """When it is, on the clinic's clock and on the recipient's where that shows something else."""
        at = Moment(instant, self.at.zone, self.language)
        home = Moment(instant, self.message.patient.home_zone, self.language)
        there = "" if home.is_same_clock(at) else f" ({home.time} {home.zone_code})"
        return f"{at.short_day}, {at.time} {at.zone_code}{there}"

    @cached_property
    def until(self) -> Moment | None:
        """Of an offer: how long it stands, on the patient's clock."""
        until = _instant(self.message, "until")
        return Moment(until, self.message.patient.home_zone, self.language) if until else None

    @property
    def language(self) -> str:
        return self.message.recipient.language

    @cached_property
    def minutes_late(self) -> int:
        """Of a message about a delay; 0: there is none any more. Of a short reminder: while one stands."""
        if self.message.kind == Kind.REMINDER:
            return rules.minutes_late(self.message)
        return int(self.message.details.get("minutes", 0))

    @property
    def _is_of_delay(self) -> bool:
        is_reminder = self.message.kind == Kind.REMINDER
        return self.message.kind == Kind.RUNNING_LATE or (is_reminder and self.minutes_late > 0)

    @property
    def by_phone(self) -> bool:
        visit = self.message.appointment
        return visit is not None and visit.mode == VisitType.Mode.PHONE

    @property
    def with_whom(self) -> str:
        if self.message.kind == Kind.OFFER:
            name = Practitioner.objects.values_list("name", flat=True).get(pk=self.message.details["practitioner"])
            return _("With %(clinician)s") % {"clinician": name}
        visit = self.message.visit
        whole = {"minutes": visit.minutes, "clinician": visit.practitioner.name}
        return _("%(minutes)s minutes with %(clinician)s") % whole

    @property
    def headline(self) -> str:
        match self.message.kind:
            case Kind.CONFIRMATION:
                return self._booked()
            case Kind.RESCHEDULE:
                return self._moved()
            case Kind.CANCELLATION:
                return self._cancelled()
            case Kind.FORM_MISSING:
                return _("A few answers are still missing")
            case Kind.CLINICIAN_WAITING:
                return _("%(clinician)s is waiting for you") % {"clinician": self.message.visit.practitioner.name}
            case _ if self._is_of_delay:
                return _("We are running late") if self.minutes_late else _("We are on time again")
            case Kind.OFFER:
                return _("An earlier time is free")
            case Kind.SUMMARY:
                return self._summary()
            case Kind.MISSED:
                return _("We missed you")
        return self._reminder()

    @property
    def subject(self) -> str:
        at = self.at
        when = {"day": at.short_day, "time": at.time, "zone": at.zone_code}
        match self.message.kind:
            case Kind.CONFIRMATION:
                return self._booked_for() % {"headline": self.headline, **when}
            case Kind.RESCHEDULE | Kind.CANCELLATION if self.others:
                return self._first_of_all() % {"headline": self.headline, **when}
            case Kind.RESCHEDULE if self.was:
                return _("Your visit has a new time: %(day)s, %(time)s %(zone)s") % when
            case Kind.CANCELLATION:
                return _("Your visit on %(day)s is cancelled") % when
            case Kind.OFFER:
                return _("An earlier time is free: %(day)s, %(time)s %(zone)s") % when
            case Kind.SUMMARY | Kind.MISSED:
                return self.headline
        says_the_day = self._days == 0 or (self.message.kind == Kind.REMINDER and self._days == 1)
        day = "" if says_the_day and self._home.date == at.date else f"{at.short_day}, "
        return f"{self.headline}, {day}{at.time} {at.zone_code}"

    @property
    def lead(self) -> str:
        name = {"name": self.message.recipient.given_name}
        match self.message.kind:
            case Kind.RESCHEDULE:
                words = _("Hello %(name)s, your visits were changed. They are now:")
                return (words if self.others else _("Hello %(name)s, your visit was changed. It is now:")) % name
            case Kind.CANCELLATION:
                words = _("Hello %(name)s, these visits will not take place.")
                return (words if self.others else _("Hello %(name)s, this visit will not take place.")) % name
            case Kind.FORM_MISSING:
                return (
                    _("Hello %(name)s, please answer a few questions before your visit. It takes two minutes.") % name
                )
            case Kind.CLINICIAN_WAITING:
                return _("Hello %(name)s, your visit can begin. Please join now.") % name
            case _ if self._is_of_delay:
                return self._delay(name)
            case Kind.OFFER:
                until = {
                    "time": self.until.time if self.until else "",
                    "zone": self.until.zone_code if self.until else "",
                }
                return _("Hello %(name)s, this time is kept for you until %(time)s %(zone)s.") % {**name, **until}
            case Kind.SUMMARY:
                return _("Hello %(name)s, you can read it now.") % name
            case Kind.MISSED:
                return _("Hello %(name)s, we could not reach you at the time of your visit.") % name
        if self.by_phone:
            return _("Hello %(name)s, we look forward to talking with you.") % name
        return _("Hello %(name)s, we look forward to seeing you.") % name

    @property
    def button(self) -> str:
        """What opens the link of the message."""
        match self.message.kind:
            case Kind.FORM_MISSING:
                return _("Answer now")
            case Kind.CLINICIAN_WAITING:
                return _("Join now")
            case Kind.OFFER:
                return _("Look at this time")
            case Kind.SUMMARY:
                return _("Read the summary")
        return _("See or change your visit") if self.by_phone else _("Get ready or join")

    @property
    def _days(self) -> int:
        """From today to the day of the visit, on the calendar that the patient goes by."""
        return (self._home.date - Moment(self.now, self._home.zone, self.language).date).days

    def _cancelled(self) -> str:
        count = len(self.others) + 1
        if count == 1:
            return _("Your visit is cancelled")
        words = ngettext("Your %(count)s visit is cancelled", "Your %(count)s visits are cancelled", count)
        return words % {"count": count}

    def _moved(self) -> str:
        count = len(self.others) + 1
        if count == 1:
            return _("Your visit has a new time") if self.was else _("Your visit has changed")
        return ngettext("Your %(count)s visit has changed", "Your %(count)s visits have changed", count) % {
            "count": count
        }

    def _first_of_all(self) -> str:
        return _("%(headline)s, the first on %(day)s, %(time)s %(zone)s")

    def _booked_for(self) -> str:
        if self.others:
            return self._first_of_all()
        if self.by_phone:
            return _("Your phone visit is booked for %(day)s, %(time)s %(zone)s")
        return _("Your video visit is booked for %(day)s, %(time)s %(zone)s")

    def _booked(self) -> str:
        count = len(self.others) + 1
        if count == 1:
            return _("Your phone visit is booked") if self.by_phone else _("Your video visit is booked")
        words = (
            ngettext("Your %(count)s phone visit is booked", "Your %(count)s phone visits are booked", count)
            if self.by_phone
            else ngettext("Your %(count)s video visit is booked", "Your %(count)s video visits are booked", count)
        )
        return words % {"count": count}

    def _summary(self) -> str:
        is_corrected = self.message.details.get("version", 1) > 1
        return _("The summary of your visit was corrected") if is_corrected else _("The summary of your visit is ready")

    def _reminder(self) -> str:
        minutes = ceil((self.at.instant - self.now).total_seconds() / 60)
        if minutes <= 0:
            return _("It is time for your visit")
        if self.message.lead <= rules.SHORT and minutes <= rules.SHORT:
            return self._soon(minutes)
        if self.by_phone:
            return self._phone_reminder(self._days)
        if self._days == 0:
            return _("Your video visit is today")
        return _("Your video visit is tomorrow") if self._days == 1 else _("Your video visit is soon")

    def _soon(self, minutes: int) -> str:
        words = (
            ngettext("We call you in %(minutes)s minute", "We call you in %(minutes)s minutes", minutes)
            if self.by_phone
            else ngettext(
                "Your video visit starts in %(minutes)s minute",
                "Your video visit starts in %(minutes)s minutes",
                minutes,
            )
        )
        return words % {"minutes": minutes}

    def _phone_reminder(self, days: int) -> str:
        if days == 0:
            return _("Your phone visit is today")
        return _("Your phone visit is tomorrow") if days == 1 else _("Your phone visit is soon")

    def _delay(self, name: dict[str, str]) -> str:
        minutes = self.minutes_late
        if not minutes:
            return _("Hello %(name)s, we have caught up. Your visit begins at its time.") % name
        words = ngettext(
            "Hello %(name)s, your visit begins about %(minutes)s minute later. We are sorry.",
            "Hello %(name)s, your visit begins about %(minutes)s minutes later. We are sorry.",
            minutes,
        )
        return words % {**name, "minutes": minutes}


def _instant(message: Communication, name: str) -> datetime | None:
    value = message.details.get(name)
    return parse_datetime(value) if value else None
