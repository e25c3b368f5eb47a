"""The flight recorder to look at: each person's line as small pictures, and as a table. Reads only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from visits.room.models import Encounter, LineMinute

HEIGHT = 32  # of a picture, in its own units; a minute is one wide
MINUTE = timedelta(minutes=1)

Span = tuple[float, float, float]  # least, mean, most


@dataclass
class Bar:
    """One minute of a picture: up to the mean, and from there to the most."""

    x: int
    y: float
    height: float
    most_y: float
    most_height: float


@dataclass
class Picture:
    title: str
    words: str
    bars: list[Bar]


@dataclass
class Row:
    minute: datetime
    cells: list[str]


@dataclass
class LineOf:
    """One person's line over the visit."""

    name: str
    width: int
    height: int
    begun: datetime
    ended: datetime
    pictures: list[Picture]
    rows: list[Row]


@dataclass(frozen=True)
class Figure:
    """One thing that is shown of every minute; nothing for minutes in which nobody knew it."""

    title: str
    least_top: float  # so that little is drawn as little
    of: Callable[[LineMinute], Span | None]
    say: Callable[[float], str]


def lines_of(encounter: Encounter) -> list[LineOf]:
    """The lines of everybody who has a minute on record, in the order of their coming."""
    seats: dict[Any, list[LineMinute]] = {}
    for minute in LineMinute.objects.filter(seat__encounter=encounter).select_related("seat"):
        seats.setdefault(minute.seat_id, []).append(minute)
    return [_line(minutes) for minutes in seats.values()]


def headings() -> list[str]:
    """Of the table's columns behind the time."""
    return [figure.title for figure in _figures()]


def _line(minutes: list[LineMinute]) -> LineOf:
    begun, ended = minutes[0].minute, minutes[-1].minute + MINUTE
    return LineOf(
        minutes[0].seat.name,
        (ended - begun) // MINUTE,
        HEIGHT,
        begun,
        ended,
        [_picture(figure, minutes) for figure in _figures()],
        [Row(one.minute, [_cell(figure, figure.of(one)) for figure in _figures()]) for one in minutes],
    )


def _picture(figure: Figure, minutes: Sequence[LineMinute]) -> Picture:
    known = [((one.minute - minutes[0].minute) // MINUTE, span) for one in minutes if (span := figure.of(one))]
    top = max([figure.least_top, *(span[2] for _x, span in known)])
    bars = []
    for x, (_least, mean, most) in known:
        y, most_y = (round(HEIGHT * (1 - value / top), 2) for value in (mean, most))
        bars.append(Bar(x, y, round(HEIGHT - y, 2), most_y, round(y - most_y, 2)))
    if not known:
        return Picture(figure.title, _("not known"), bars)
    least, most = min(span[0] for _x, span in known), max(span[2] for _x, span in known)
    return Picture(figure.title, _range(figure, least, most), bars)


def _range(figure: Figure, least: float, most: float) -> str:
    low, high = figure.say(least), figure.say(most)
    return low if low == high else _("{least} to {most}").format(least=low, most=high)


def _cell(figure: Figure, span: Span | None) -> str:
    if span is None:
        return "–"
    least, mean, most = (figure.say(value) for value in span)
    return mean if least == most else f"{mean} ({least} – {most})"


def _figures() -> list[Figure]:
    return [
        Figure(_("Sends"), 500_000, lambda one: _relay(one, "up"), _rate),
        Figure(_("Receives"), 500_000, lambda one: _relay(one, "down"), _rate),
        Figure(_("Lost"), 0.1, _lost, _share),
        Figure(_("Answers in"), 200, lambda one: _relay(one, "round_trip"), _milliseconds),
        Figure(_("Uneven by"), 50, lambda one: _relay(one, "jitter"), _milliseconds),
        Figure(_("Picture frozen"), 5000, lambda one: _browser(one, "frozen"), _seconds),
        Figure(_("Sound filled in"), 5000, lambda one: _browser(one, "concealed"), _seconds),
    ]


def _relay(minute: LineMinute, name: str) -> Span | None:
    found = minute.relay.get(name)
    return (found[0], found[1], found[2]) if found else None


def _lost(minute: LineMinute) -> Span | None:
    """The worse of both ways."""
    ways = [span for name in ("loss_up", "loss_down") if (span := _relay(minute, name))]
    return max(ways, key=lambda span: span[1], default=None)


def _browser(minute: LineMinute, name: str) -> Span | None:
    found = minute.browser.get(name)
    return (found, found, found) if found is not None else None


def _rate(value: float) -> str:
    if value >= 1_000_000:
        return f"{number_format(value / 1_000_000, 1)} Mbit/s"
    return f"{number_format(value / 1000, 0)} kbit/s"


def _share(value: float) -> str:
    return f"{number_format(100 * value, 1)} %"


def _milliseconds(value: float) -> str:
    return f"{number_format(value, 0)} ms"


def _seconds(value: float) -> str:
    return f"{number_format(value / 1000, 1)} s"
