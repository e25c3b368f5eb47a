"""Where the marks of a chart lie. Pure: no ORM, no words.

Across in per cent of the plot's width and down in rem, so that a chart is as wide as its place while its words stay as
large as all others, and nothing needs a style of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

HEIGHT = 10.0  # of a plot of columns or lines
ROW, BAR_IN_ROW = 2.75, 1.0
FULL_ROW = 88.0  # per cent: the longest bar, with its number behind it
COLUMN = 0.72  # of what a stretch has of the width
LEAST_BAR = 0.8  # per cent: so that one of hundreds is seen
MOST_STEPS = 4
STEPS = [1, 2, 5, *(int(step * 10**power) for power in range(1, 12) for step in (1, 2, 2.5, 5))]
MOST_WORDS = 7  # under a plot

Values = Sequence[float | None]
Say = Callable[[float], str]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    ink: str


@dataclass(frozen=True)
class Stroke:
    """A line; one of no length is a dot."""

    x1: float
    y1: float
    x2: float
    y2: float
    ink: str


@dataclass(frozen=True)
class Label:
    """Words at a place on an axis; those that are ``minor`` are left out where it is narrow."""

    at: float
    text: str
    minor: bool = False


@dataclass(frozen=True)
class Spot:
    """What the pointer finds: a stretch and its words."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass
class Chart:
    height: float
    grid: list[Label] = field(default_factory=list)  # down
    ticks: list[Label] = field(default_factory=list)  # across
    bars: list[Bar] = field(default_factory=list)
    before: list[Stroke] = field(default_factory=list)  # how it was in the period before
    strokes: list[Stroke] = field(default_factory=list)
    dots: list[Stroke] = field(default_factory=list)
    names: list[Label] = field(default_factory=list)  # of rows
    ends: list[tuple[float, float, str]] = field(default_factory=list)  # the numbers behind them
    spots: list[Spot] = field(default_factory=list)


def columns(series: Mapping[str, Values], before: Values, names: Sequence[str], tips: Sequence[str], say: Say) -> Chart:
    """Columns of parts that stand on each other, by ink; how high all was before as a line across."""
    # Shares that were rounded may be a hair more than all.
    totals = [round(sum(value or 0 for value in values)) for values in zip(*series.values(), strict=True)]
    chart, top = _plot([*totals, *before], names, tips, say)
    slot = 100 / len(names)
    for number, values in enumerate(zip(*series.values(), strict=True)):
        foot = HEIGHT
        for ink, value in zip(series, values, strict=True):
            if value:
                height = HEIGHT * value / top
                foot -= height
                x = slot * (number + (1 - COLUMN) / 2)
                chart.bars.append(Bar(_r(x), _r(foot), _r(slot * COLUMN), _r(height), ink))
    for number, value in enumerate(before):
        if value:
            y = _r(HEIGHT * (1 - value / top))
            chart.before.append(Stroke(_r(slot * (number + 0.06)), y, _r(slot * (number + 0.94)), y, ""))
    return chart


def lines(series: Mapping[str, Values], before: Values, names: Sequence[str], tips: Sequence[str], say: Say) -> Chart:
    """A line for each ink, broken where nothing is known, with a dot for each value; ``before`` without dots."""
    chart, top = _plot([*before, *(value for values in series.values() for value in values)], names, tips, say)
    slot = 100 / len(names)

    def joined(values: Values, ink: str) -> list[Stroke]:
        places = [
            None if value is None else (_r(slot * (number + 0.5)), _r(HEIGHT * (1 - value / top)))
            for number, value in enumerate(values)
        ]
        return [Stroke(*one, *other, ink) for one, other in pairwise(places) if one and other]

    chart.before = joined(before, "")
    for ink, values in series.items():
        chart.strokes += joined(values, ink)
        for number, value in enumerate(values):
            if value is not None:
                x, y = _r(slot * (number + 0.5)), _r(HEIGHT * (1 - value / top))
                chart.dots.append(Stroke(x, y, x, y, ink))
    return chart


def rows(series: Mapping[str, Values], before: Values, names: Sequence[str], tips: Sequence[str], say: Say) -> Chart:
    """Bars from left to right, one a row under its name, of parts by ink; how long all was before as a line across."""
    totals = [sum(value or 0 for value in values) for values in zip(*series.values(), strict=True)]
    chart = Chart(ROW * len(names))
    top = max([*totals, *(value or 0 for value in before), 1])
    for number, values in enumerate(zip(*series.values(), strict=True)):
        y, x = ROW * number, 0.0
        chart.names.append(Label(_r(y + 1), names[number]))
        for ink, value in zip(series, values, strict=True):
            if value:
                width = max(FULL_ROW * value / top, LEAST_BAR)
                chart.bars.append(Bar(_r(x), _r(y + 1.4), _r(width), BAR_IN_ROW, ink))
                x += width
        old = before[number]
        if old:
            at = _r(FULL_ROW * old / top)
            chart.before.append(Stroke(at, _r(y + 1.25), at, _r(y + 2.55), ""))
            x = max(x, at)
        chart.ends.append((_r(x), _r(y + 2.2), say(totals[number])))
        chart.spots.append(Spot(0, y, 100, ROW, tips[number]))
    return chart


def scale(most: float) -> list[int]:
    """Round numbers from 0 to ``most`` or a little more, as few as can be."""
    step = next(step for step in STEPS if most <= step * MOST_STEPS)
    return [step * number for number in range(max(-int(-most // step), 1) + 1)]


def _plot(values: Values, names: Sequence[str], tips: Sequence[str], say: Say) -> tuple[Chart, float]:
    """An empty plot with its axes, and the value at its top."""
    marks = scale(max((value for value in values if value is not None), default=0))
    slot = 100 / len(names)
    every = -(-len(names) // MOST_WORDS)
    chart = Chart(HEIGHT)
    chart.grid = [Label(_r(HEIGHT * (1 - mark / marks[-1])), say(mark)) for mark in marks]
    shown = range(0, len(names), every)
    # In a narrow place every second word, the first one among them.
    chart.ticks = [
        Label(_r(slot * (number + 0.5)), names[number], minor=every > 1 and place % 2 == 1)
        for place, number in enumerate(shown)
    ]
    chart.spots = [Spot(_r(slot * number), 0, _r(slot), HEIGHT, tip) for number, tip in enumerate(tips)]
    return chart, marks[-1]


def _r(value: float) -> float:
    return round(value, 3)
