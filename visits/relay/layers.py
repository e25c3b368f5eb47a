"""Which layer of each picture a receiver gets: its line shared out among its slots. Pure, no I/O.

Sound is not in here: it is taken off the line's rate before anything is shared out, and always passes.
Bit rates in bit/s, heights in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FULL_HEIGHT = 720  # of a camera's largest layer; each one below it has half of the one above
BLOW_UP = 1.25  # a picture may be shown that much larger than it is sent
FLOOR = 100_000  # less than this is no moving picture

FULL, LOW, PAUSED = "full", "low", "paused"  # steps of the ladder


@dataclass(frozen=True, slots=True)
class Layer:
    """One size of a picture that can be had now."""

    rate: int
    height: int


@dataclass(frozen=True, slots=True)
class Wish:
    """One receiving slot: the layers behind it, the smallest first, and the height at which it is shown (0: hidden).

    Of a `whole` picture only the largest layer is good enough, however small it is shown: the one of a
    visit of two, and a screen.
    """

    layers: Sequence[Layer]
    height: int
    is_screen: bool = False
    whole: bool = False

    @property
    def wanted(self) -> int | None:
        """Index of the layer that would serve best; None if none is needed."""
        if not self.layers or self.height <= 0:
            return None
        if not self.whole:
            for index, layer in enumerate(self.layers):
                if layer.height * BLOW_UP >= self.height:
                    return index
        return len(self.layers) - 1


def nominal_height(layer: int, layers: int) -> int:
    """Height of layer number `layer` (0 is the smallest) of so many."""
    return FULL_HEIGHT >> layers - 1 - layer


def share_out(budget: float, wishes: Sequence[Wish]) -> list[int | None]:
    """The layer for each wish, or None, so that all of them together fit the budget.

    Screens first, as good as can be; then the smallest layer of every camera, the largest shown first;
    then one step more for each in turn.
    """
    chosen: list[int | None] = [None] * len(wishes)
    left = budget
    order = sorted(range(len(wishes)), key=lambda i: (not wishes[i].is_screen, -wishes[i].height))
    for i in order:
        if wishes[i].wanted is None or wishes[i].layers[0].rate > left:
            continue
        chosen[i] = 0
        left -= wishes[i].layers[0].rate
        if wishes[i].is_screen:
            while (more := _next_step(wishes[i], chosen[i])) is not None and more <= left:
                left -= more
                chosen[i] = (chosen[i] or 0) + 1
    raised = True
    while raised:
        raised = False
        for i in order:
            more = _next_step(wishes[i], chosen[i])
            if chosen[i] is not None and more is not None and more <= left:
                left -= more
                chosen[i] = (chosen[i] or 0) + 1
                raised = True
    return chosen


def _next_step(wish: Wish, chosen: int | None) -> int | None:
    """What one step up costs; None if nothing is gained by it."""
    if wish.wanted is None or (chosen is not None and chosen >= wish.wanted):
        return None
    if chosen is None:
        return wish.layers[0].rate
    return max(0, wish.layers[chosen + 1].rate - wish.layers[chosen].rate)


def total(wishes: Sequence[Wish], chosen: Sequence[int | None]) -> int:
    """The rate of all that was chosen."""
    return sum(wish.layers[index].rate for wish, index in zip(wishes, chosen, strict=True) if index is not None)


def next_budget(wishes: Sequence[Wish], chosen: Sequence[int | None]) -> int | None:
    """The least budget at which somebody gets more; None if all have what they want."""
    steps = [step for step in _steps(wishes, chosen) if step is not None]
    return total(wishes, chosen) + min(steps) if steps else None


def _steps(wishes: Sequence[Wish], chosen: Sequence[int | None]) -> Iterator[int | None]:
    for wish, index in zip(wishes, chosen, strict=True):
        yield _next_step(wish, index)


def step(wish: Wish, chosen: int | None) -> str:
    """How far down the ladder the slot is by its line's fault."""
    if wish.wanted is None or chosen == wish.wanted:
        return FULL
    return PAUSED if chosen is None else LOW
