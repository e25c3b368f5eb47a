"""What stands in one column of the grid: a clinician's day, in the order of its times."""

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.calendar import grid, words
from visits.calendar.addresses import address_of
from visits.calendar.grid import Place, Sheet
from visits.calendar.reading import KINDS, Visit
from visits.schedule.hours import spell_of
from visits.schedule.intervals import Interval, common, merged, minus
from visits.schedule.models import ScheduleException
from visits.schedule.wall_clock import bounds

# Below this a visit has room for one line only.
ONE_LINE = 30
LANE_NAMES = {1: "", 2: "half", 3: "third"}


@dataclass
class Item:
    """Something at a place: ``kind`` is visit, hold, off, shut, free or now."""

    kind: str
    start: datetime
    place: Place
    visit: Visit | None = None
    clock: str = ""
    # What it is called, or, of a visit, what only a screen reader says.
    words: str = ""
    url: str = ""
    # Of a visit that can be moved: where one asks to.
    move_url: str = ""
    lane: tuple[int, int] = (0, 1)
    # Of the first piece of free time: how long all of it is, in words.
    stretch: str = ""

    @property
    def css(self) -> str:
        lane, of = self.lane
        side = f" {LANE_NAMES[of]}-{lane}" if of > 1 else ""
        return f"{self.place.css}{side}{' slim' if self.place.length < ONE_LINE else ''}"

    @property
    def icon(self) -> str:
        return KINDS[self.visit.kind][1] if self.visit else ""


@dataclass
class Column:
    day: date
    practitioner: Practitioner
    start: datetime
    end: datetime
    is_today: bool
    open: list[Interval] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    # When and what: time off, closed days.
    off: list[tuple[Interval, str]] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.day}/{self.practitioner.pk}"

    @property
    def weekday(self) -> str:
        return words.weekday_words(self.day)

    @property
    def off_names(self) -> list[str]:
        return list(dict.fromkeys(name for _, name in self.off))

    @property
    def all_day(self) -> str:
        """Why nobody is there all day, if so."""
        return next((name for _, name in self.off), "") if not self.open else ""


def columns(
    days: Sequence[date],
    people: Sequence[Practitioner],
    zone: ZoneInfo,
    today: date,
    open_times: dict[uuid.UUID, list[Interval]],
    visits: Iterable[Visit],
    holds: Iterable[Hold],
    off: dict[uuid.UUID, list[tuple[Interval, str]]],
) -> list[Column]:
    """A column for each of some days in a row and each person, with what touches it; all of it touches some day."""
    spans = [bounds(day, day, zone) for day in days]
    found: list[Column] = []
    of_person: dict[uuid.UUID, list[Column]] = {one.pk: [] for one in people}
    for day, (start, end) in zip(days, spans, strict=True):
        for one in people:
            column = Column(day, one, start, end, day == today)
            column.open = common(open_times[one.pk], [(start, end)])
            column.off = [(span, name) for span, name in off[one.pk] if span[0] < end and span[1] > start]
            found.append(column)
            of_person[one.pk].append(column)
    midnights = [start for start, _end in spans]

    def touched(person: uuid.UUID, start: datetime, end: datetime) -> list[Column]:
        first, last = bisect_right(midnights, start) - 1, bisect_left(midnights, end) - 1
        return of_person[person][max(first, 0) : last + 1]

    for visit in visits:
        for column in touched(visit.practitioner, visit.start, visit.end):
            column.visits.append(visit)
    for hold in holds:
        for column in touched(hold.practitioner_id, hold.start, hold.end):
            column.holds.append(hold)
    return found


def lay_out(column: Column, sheet: Sheet, now: datetime, *, clinic_zone: ZoneInfo | None) -> None:
    """Give everything in the column its place on the sheet.

    With the ``clinic_zone`` free time can be pressed to book it, on its day of the clinic's calendar.
    """
    items = [*_shut(column, sheet), *_off(column, sheet)]
    items += _side_by_side([*_visits(column, sheet), *_holds(column, sheet)])
    if clinic_zone:
        items += _free(column, sheet, now, clinic_zone)
    if column.is_today:
        place = sheet.place(column.day, now, now)
        if place:
            items.append(Item("now", now, place, clock=words.clock(now.astimezone(sheet.zone))))
    first = {"shut": 0, "off": 1}
    column.items = sorted(items, key=lambda item: (item.start, first.get(item.kind, 2)))


def hours_shown(columns: Iterable[Column], zone: ZoneInfo, usual: tuple[int, int] | None) -> tuple[int, int]:
    """From which to which hour the sheet must go: all visits; of hours and hours off those within the ``usual`` ones.

    ``usual`` None: all of them.
    """
    opens, closes = set(), set()
    for column in columns:
        hours_off = [span for span, _name in column.off if span[0] > column.start or span[1] < column.end]
        for start, end in (*column.open, *common(hours_off, [(column.start, column.end)])):
            opens.add(grid.minute_of(start, column.day, zone))
            closes.add(grid.minute_of(end, column.day, zone))
    first, last = min(opens, default=8 * 60) // 60, -(-max(closes, default=17 * 60) // 60)
    if usual:
        first, last = max(first, usual[0]), min(last, usual[1])
    if first >= last:
        first, last = usual or (8, 17)
    for column in columns:
        taken = [(one.start, one.end) for one in column.visits] + [(one.start, one.end) for one in column.holds]
        for start, end in taken:
            first = min(first, grid.minute_of(start, column.day, zone) // 60)
            last = max(last, -(-grid.minute_of(end, column.day, zone) // 60))
    return first, last


def has_hours_outside(columns: Iterable[Column], sheet: Sheet) -> bool:
    """Whether somebody can be booked at hours that the sheet does not show."""
    for column in columns:
        for start, end in column.open:
            begins = grid.minute_of(start, column.day, sheet.zone)
            ends = grid.minute_of(end, column.day, sheet.zone)
            if begins < sheet.opens * 60 or ends > sheet.closes * 60:
                return True
    return False


def off_of(
    rows: Iterable[ScheduleException], holidays: Mapping[date, str], zone: ZoneInfo, first_day: date, last_day: date
) -> list[tuple[Interval, str]]:
    """Time off and public holidays between two days of the clinic's calendar as instants, with what to call them.

    Only staff read the note of time off.
    """
    found = []
    for row in rows:
        if row.kind == ScheduleException.Kind.OFF:
            first, last = max(row.first_day, first_day), min(row.last_day, last_day)
            days = (first + timedelta(days=n) for n in range((last - first).days + 1))
            stretches = [stretch for stretch in map(spell_of(row).on, days) if stretch is not None]
            found += [(span, row.note or _("Time off")) for span in grid.instants(stretches, zone)]
    return found + [(bounds(day, day, zone), name) for day, name in holidays.items()]


def _shut(column: Column, sheet: Sheet) -> Iterator[Item]:
    """The shade of time outside of all hours; what is named as time off has its own."""
    named = merged(span for span, _name in column.off)
    for start, end in minus([(column.start, column.end)], merged([*column.open, *named])):
        place = sheet.place(column.day, start, end)
        if place:
            yield Item("shut", start, place)


def _off(column: Column, sheet: Sheet) -> Iterator[Item]:
    named: list[Interval] = []
    for span, name in column.off:
        # Extra hours are open on a public holiday; what two say is said once.
        for start, end in minus(common([span], [(column.start, column.end)]), [*column.open, *named]):
            place = sheet.place(column.day, start, end)
            if place:
                yield Item("off", start, place, words=name)
        named.append(span)


def _visits(column: Column, sheet: Sheet) -> Iterator[Item]:
    for visit in column.visits:
        place = sheet.place(column.day, visit.start, visit.end)
        if place:
            until, state = words.clock_time(visit.end.astimezone(sheet.zone)), KINDS[visit.kind][0]
            yield Item(
                "visit",
                visit.start,
                place,
                visit=visit,
                clock=words.clock(visit.start.astimezone(sheet.zone)),
                words=_("until %(time)s. %(state)s.") % {"time": until, "state": state},
                url=address_of("room:visit", visit.pk),
                move_url=address_of("calendar:move", visit.pk) if visit.status == Appointment.Status.BOOKED else "",
            )


def _holds(column: Column, sheet: Sheet) -> Iterator[Item]:
    for hold in column.holds:
        place = sheet.place(column.day, hold.start, hold.end)
        if place:
            who = hold.held_by.name if hold.held_by else _("Online")
            until = words.clock(hold.expires_at.astimezone(sheet.zone))
            yield Item(
                "hold",
                hold.start,
                place,
                clock=words.clock(hold.start.astimezone(sheet.zone)),
                words=_("%(name)s, until %(time)s") % {"name": who, "time": until},
            )


def _free(column: Column, sheet: Sheet, now: datetime, clinic_zone: ZoneInfo) -> Iterator[Item]:
    busy = [(one.start, one.end) for one in column.visits if one.kind != "noshow"]
    busy += [(one.busy_start, one.busy_end) for one in column.holds]
    soon = now + timedelta(
        minutes=grid.STEP - now.minute % grid.STEP, seconds=-now.second, microseconds=-now.microsecond
    )
    book, one_piece, all_of_it = reverse("booking:book"), _("Book %(time)s"), _("Free from %(start)s to %(end)s")
    for stretch in minus(column.open, [*busy, (column.start, soon)]):
        is_first = True
        for start, end in grid.cells(stretch, sheet.zone):
            place = sheet.place(column.day, start, end)
            if place:
                clock = words.clock_time(start.astimezone(sheet.zone))
                whole = {"start": clock, "end": words.clock_time(stretch[1].astimezone(sheet.zone))}
                day = start.astimezone(clinic_zone).date()
                yield Item(
                    "free",
                    start,
                    place,
                    words=one_piece % {"time": clock},
                    url=f"{book}?practitioner={column.practitioner.pk}&day={day}&start={value_of(start)}",
                    stretch=all_of_it % whole if is_first else "",
                )
                is_first = False


def _side_by_side(items: list[Item]) -> list[Item]:
    items.sort(key=lambda item: (item.place.top, item.start))
    for item, lane in zip(items, grid.lanes([item.place for item in items]), strict=True):
        item.lane = lane
    return items
