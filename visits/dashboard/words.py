"""Numbers, days and comparisons in words of the page's language."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.language import page_language
from visits.booking.days import Clock
from visits.dashboard.period import Period, Stretch


def number(value: float) -> str:
    """1,200; of broken numbers one digit behind the point"""
    return str(number_format(value, 0 if float(value).is_integer() else 1, force_grouping=True))


def share(part: float, whole: float) -> str:
    """6 %; less than one as 0.4 %, and of nothing a dash"""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return per_cent(round(percent, 1) if percent < 1 else round(percent))


def per_cent(value: float) -> str:
    return f"{number(value)}\u00a0%"


def days(length: int) -> str:
    """How the choice of a period calls it."""
    if length == 365:
        return _("1 year")
    return ngettext("%(days)s day", "%(days)s days", length) % {"days": length}


def before(length: int) -> str:
    """The period before one of so many days, as it stands behind "in"."""
    if length == 365:
        return _("the year before")
    return _("the %(days)s days before") % {"days": length}


def change(now: int, then: int, period: Period) -> str:
    """2 fewer than in the 30 days before"""
    if now == then:
        return _("as many as in %(before)s") % {"before": before(period.days)}
    words = _("%(count)s more than in %(before)s") if now > then else _("%(count)s fewer than in %(before)s")
    return words % {"count": number(abs(now - then)), "before": before(period.days)}


def stretch_words(stretch: Stretch, period: Period) -> str:
    """Tue, Nov 24; of more days the first and the last"""
    clock = Clock(str(period.zone), page_language())
    if stretch.first == stretch.last:
        return clock.day(stretch.first).short_day
    return f"{clock.day(stretch.first).month_day} – {clock.day(stretch.last).month_day}"


def tick_words(stretch: Stretch, period: Period) -> str:
    """Under a chart: the weekday of one week, else the date that the stretch begins with."""
    day = Clock(str(period.zone), page_language()).day(stretch.first)
    return day.short_weekday if period.days == 7 else day.month_day
