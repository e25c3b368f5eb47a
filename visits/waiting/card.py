"""The card on Today by which a clinician's day is said to be late, with who would be told before anybody is."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.booking.picker import chosen
from visits.schedule.hours import bounds_of_day, day_of
from visits.waiting import late
from visits.waiting.models import Delay


@dataclass(frozen=True)
class LateCard:
    """``minutes`` is what was chosen, 0 for "on time again", None for nothing yet; ``told`` who would hear of it."""

    people: list[Practitioner]
    practitioner: Practitioner
    minutes: int | None
    told: list[late.Told]

    @property
    def steps(self) -> tuple[int, ...]:
        return Delay.STEPS

    @property
    def count(self) -> int:
        """How many messages go out."""
        return sum(one.is_reachable for one in self.told)

    @property
    def unreachable(self) -> list[late.Told]:
        return [one for one in self.told if not one.is_reachable]

    @property
    def effect(self) -> str:
        """Who is told, in a sentence."""
        reachable = [one for one in self.told if one.is_reachable]
        waiting = sum(one.is_waiting for one in reachable)
        upcoming = len(reachable) - waiting
        parts = []
        if waiting:
            parts.append(ngettext("%(count)s waiting", "%(count)s waiting", waiting) % {"count": waiting})
        if upcoming:
            parts.append(ngettext("%(count)s upcoming", "%(count)s upcoming", upcoming) % {"count": upcoming})
        if not parts:
            return _("Nobody has to be told.")
        who = _(" and ").join(parts)
        return ngettext("We tell %(who)s patient.", "We tell %(who)s patients.", len(reachable)) % {"who": who}


def card_of(principal: Principal, data: QueryDict, now: datetime) -> LateCard | None:
    """The card as it stands with ``of`` (a clinician) and ``late`` (minutes) chosen; None for who may say nothing.

    What is unknown or not theirs counts as not chosen.
    """
    people = _people(principal, now)
    if not people:
        return None
    own = next((one for one in people if principal.user and one.user_id == principal.user.pk), people[0])
    practitioner = chosen(people, data.get("of")) or own
    late_by = data.get("late", "")
    minutes = int(late_by) if late_by in {"0", *map(str, Delay.STEPS)} else None
    told = late.who_is_told(practitioner, minutes, now) if minutes is not None else []
    return LateCard(people, practitioner, minutes, told)


def _people(principal: Principal, now: datetime) -> list[Practitioner]:
    people = Practitioner.objects.select_related("clinic").filter(clinic=principal.clinic, is_active=True)
    if not principal.may(Action.DELAY_SET):
        return []
    if not principal.may(Action.DELAY_SET_ALL):
        return list(people.filter(user=principal.user))
    start, end = bounds_of_day(principal.clinic, now)
    to_come = Appointment.objects.filter(
        clinic=principal.clinic, start__gte=start, start__lt=end, status__in=("booked", "arrived")
    )
    said = Delay.objects.filter(practitioner__clinic=principal.clinic, day=day_of(principal.clinic, now))
    at_work = Q(pk__in=to_come.values("practitioner")) | Q(pk__in=said.values("practitioner"))
    return list(people.filter(at_work).order_by("name", "pk"))


def problem_words(shift: late.Shift) -> str:
    """Why a visit cannot be moved; empty when nothing is in the way."""
    match shift.problem:
        case None:
            return ""
        case booking.PatientBusy():
            return _("The patient has another visit then.")
        case booking.WrongState():
            return _("It has begun, is over, or was cancelled meanwhile.")
    return _("Something else is there then.")
