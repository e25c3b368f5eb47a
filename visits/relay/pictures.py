"""Points a receiver's video slots at layers, by its line, its page and what is alive. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from visits.relay import layers
from visits.relay.bandwidth import BOOT_BITRATE, FIRST, Line
from visits.relay.layers import Layer, Wish
from visits.relay.peer import Peer
from visits.relay.slots import Slot
from visits.relay.tracks import Track

DEAD_AFTER = {"camera": 0.5, "screen": 2.0}  # seconds that a layer is behind the newest of its picture
SILENT_AFTER = 3.0  # seconds; a camera is off, and costs nothing
STEADY_AFTER = 1.0  # seconds that a layer that had died must have been back before somebody is moved up to it
GUESS = {"camera": (1_500_000, 500_000, 150_000), "screen": (2_500_000, 400_000, 200_000)}  # the largest first
LEAST = 0.3  # of the guess: what stands still now may move soon
FITTED_STEP = 1.25  # by which a publisher may fit its picture better, where the receiver does not say
EASY = 400_000  # a picture that has to fit into less is not what the publisher could send


@dataclass(frozen=True, slots=True)
class _Shown:
    """A slot with a publisher behind it; `alive` are the layers to choose from."""

    index: int
    slot: Slot
    alive: list[Track]
    wish: Wish
    is_fitted: bool  # the publisher fits its picture to this receiver


def choose(receiver: Peer, now: float) -> set[Peer]:
    """Assign the video slots of a connected receiver anew.

    Returns the publishers of whom it now sees more or less by its line's fault than before.
    """
    shown = [_look(receiver, index, slot, tracks, now) for index, (slot, tracks) in receiver.watching.items()]
    wishes = [each.wish for each in shown]
    fitted = sum(each.is_fitted for each in shown)
    chosen, room = _share_out(receiver.line, wishes, fitted, now)
    steps: dict[int, str] = {}
    for each, number in zip(shown, chosen, strict=True):
        each.slot.assign(each.alive[number] if number is not None else None)
        offer = room
        if number is not None:
            offer = each.wish.layers[number].rate + (room / fitted if each.is_fitted else room)
        track = each.alive[0]
        track.owner.offers.setdefault(track.role, {})[each.slot] = offer
        step = layers.step(each.wish, number)
        if step == layers.FULL and each.is_fitted and number is not None and offer < EASY:
            step = layers.LOW
        if step != layers.FULL:
            steps[each.index] = step
    before, receiver.steps = receiver.steps, steps
    receiver.line.changed = False
    return {each.alive[0].owner for each in shown if steps.get(each.index) != before.get(each.index)}


def weigh(receiver: Peer, now: float) -> None:
    """Note what of the receiver's line is in use: more than is sent, where a picture stands still."""
    used = 0.0
    for slot, tracks in receiver.watching.values():
        if slot.target is not None:
            offer = tracks[0].owner.offers.get(tracks[0].role, {}).get(slot, layers.FLOOR)
            used += max(layers.FLOOR, min(_cost(slot.target, tracks, now), offer))
    receiver.line.used = used


def _share_out(line: Line, wishes: list[Wish], fitted: int, now: float) -> tuple[list[int | None], float]:
    """The choice, and what is left of the line. A step up is tried when the line may rise."""
    if fitted:
        line.follow(now)
    chosen = layers.share_out(line.limit, wishes)
    more = layers.next_budget(wishes, chosen)
    if more is None and fitted and line.limit < FIRST and not line.is_estimated(now):
        more = int(line.limit * FITTED_STEP)
    if more is not None and line.may_rise(now):
        line.rise(more, now)
        chosen = layers.share_out(line.limit, wishes)
    line.least = min((wish.layers[0].rate for wish in wishes if wish.wanted is not None), default=0)
    return chosen, max(0.0, line.limit - layers.total(wishes, chosen))


def _look(receiver: Peer, index: int, slot: Slot, tracks: list[Track], now: float) -> _Shown:
    publisher, role = tracks[0].owner, tracks[0].role
    alive = alive_layers(tracks, now, slot.target)
    single = _is_in_one_size(tracks, alive)
    offers = publisher.offers.get(role, {})
    best = max(offers.values(), default=float("inf")) if single else float("inf")
    is_fitted = single and offers.get(slot, best) >= best
    sizes = [
        Layer(
            layers.FLOOR if is_fitted else int(min(_cost(track, tracks, now), best)),
            layers.nominal_height(tracks.index(track), len(tracks)),
        )
        for track in alive
    ]
    is_screen = role == "screen"
    whole = is_screen or publisher.audience == 1
    wish = Wish(sizes, receiver.heights.get(index, layers.FULL_HEIGHT), is_screen, whole)
    return _Shown(index, slot, alive, wish, is_fitted)


def _is_in_one_size(family: list[Track], alive: list[Track]) -> bool:
    """Whether the publisher makes one picture for all: its browser can no more, or it is for one only.

    A publisher whose line carries just the smallest layer now is about to send the others, and must not be held back.
    """
    return len(alive) == 1 and (len(family) == 1 or family[0].owner.audience == 1)


def _cost(track: Track, family: list[Track], now: float) -> float:
    if now - max(each.last_packet_at for each in family) > SILENT_AFTER:
        return 0
    guess = GUESS[track.role][len(family) - 1 - family.index(track)]
    measured = track.owner.rates.get(track, 0.0)
    return max(measured, LEAST * guess) if measured else guess


def alive_layers(family: list[Track], now: float, shown: Track | None = None) -> list[Track]:
    """The layers to choose from, the smallest first; at least one.

    Dead is what falls silent while its siblings go on: of a camera that is off nothing is known, and the
    choice stays. A layer that had died is not moved up to until it has lived for a while.
    """
    newest = max(track.last_packet_at for track in family)
    if newest == float("-inf"):
        return [family[-1]]
    alive = [track for track in family if newest - track.last_packet_at <= DEAD_AFTER[track.role]]
    steady = [track for track in alive if track is shown or now - _since(track, now) >= STEADY_AFTER]
    return steady or alive[:1]


def _since(track: Track, now: float) -> float:
    publisher = track.owner
    return publisher.alive_since.get(track, now if track in publisher.fallen else float("-inf"))


def note_alive(publisher: Peer, now: float) -> bool:
    """Keep the publisher's `alive_since`; whether its receivers should be looked at anew."""
    sent: dict[Track, float] = {}
    for family in publisher.families:
        newest = max(track.last_packet_at for track in family)
        if now - newest > SILENT_AFTER:
            continue
        for track in family:
            if newest - track.last_packet_at <= DEAD_AFTER[track.role]:
                sent[track] = _since(track, now)
    settled = sum(1 for since in sent.values() if now - since >= STEADY_AFTER)
    changed = sent.keys() != publisher.alive_since.keys() or settled != publisher.settled
    publisher.fallen |= publisher.alive_since.keys() - sent.keys()
    publisher.alive_since, publisher.settled = sent, settled
    return changed


def ceiling(publisher: Peer, now: float) -> int:
    """What the publisher may send of its pictures, as far as its receivers are concerned.

    A picture in one size fits the receiver that can take most of it. Where there are several sizes each
    receiver gets the one that fits it, and nobody is told to send less.
    """
    rate = 0.0
    for family in publisher.families:
        role = family[0].role
        if role == "screen" and not any(track.outputs for track in family):
            continue  # nobody's screen is up: its share would only inflate the camera's
        offers = publisher.offers.get(role, {}).values()
        single = _is_in_one_size(family, alive_layers(family, now))
        rate += min(max(offers), BOOT_BITRATE) if offers and single else BOOT_BITRATE
    return int(max(rate, layers.FLOOR))
