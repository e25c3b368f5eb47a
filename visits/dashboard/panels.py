"""What the dashboard says of each figure: a sentence, a chart, and the table behind it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from visits.booking.models import Appointment
from visits.dashboard import charts, words
from visits.dashboard.charts import Chart, Say, Values
from visits.dashboard.period import Period
from visits.dashboard.ranks import nearest_rank
from visits.dashboard.reading import GOOD, LOSS_STEPS, POOR, TRIP_STEP, WEAK, Counts, Numbers
from visits.reminders.models import Communication

Status = Appointment.Status
State = Communication.State

ON_TIME, LATE = 5, 15  # minutes after the booked time
HALF, MOST = 50, 90  # per cent
NOTHING = "–"

Kind = tuple[str, str, str]  # what is counted, its ink, its name


@dataclass(frozen=True)
class Column:
    """One thing that is known of each row, now and before."""

    name: str
    now: Values
    then: Values


@dataclass(frozen=True)
class Key:
    """What an ink stands for (none: a number that is not drawn), and how much of it there was."""

    ink: str
    name: str
    now: str
    then: str


@dataclass
class Panel:
    """``chart`` is None where there is nothing to show; then ``sentence`` says so."""

    name: str  # in addresses
    title: str
    sentence: str
    per: str  # what a row of the table is
    rows: list[str]
    codes: list[str]  # the same in files: days of ISO 8601, kinds as the ledger has them
    columns: list[Column] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dashed: str = ""  # what is drawn of the period before
    chart: Chart | None = None

    @property
    def others(self) -> list[Key]:
        """What is not drawn."""
        return [key for key in self.keys if not key.ink]

    @property
    def values(self) -> list[Sequence[float | None]]:
        """Each row's numbers: those of now, then those of before."""
        return list(zip(*(one.now for one in self.columns), *(one.then for one in self.columns), strict=True))

    @property
    def table(self) -> list[tuple[str, list[str]]]:
        """Each row's name and its numbers in words."""
        cells = [[NOTHING if one is None else words.number(one) for one in row] for row in self.values]
        return list(zip(self.rows, cells, strict=True))


class Panels:
    """Makes the panels of one period, in the page's language."""

    def __init__(self, period: Period, numbers: Numbers) -> None:
        self.period = period
        self.numbers = numbers
        self.half = len(period.stretches)
        self.names = [words.stretch_words(one, period) for one in period.stretches]
        self.ticks = [words.tick_words(one, period) for one in period.stretches]

    def all(self) -> list[Panel]:
        return [
            self.visits(),
            self.no_shows(),
            self.waits(),
            self.punctuality(),
            self.messages(),
            self.quality(),
            self.sign_ins(),
        ]

    def visits(self) -> Panel:
        counts = self.numbers.visits
        kinds = [
            (Status.FULFILLED, "teal", pgettext("visits", "Taken place")),
            (Status.NOSHOW, "violet", pgettext("visits", "Missed")),
            (Status.CANCELLED, "slate", pgettext("visits", "Cancelled")),
        ]
        panel = self._stacked("visits", _("Visits"), counts, kinds, _("There was no visit on these days."))
        then, now = self._sums(counts)
        if panel.chart:
            held = now[Status.FULFILLED]
            says = ngettext("%(count)s visit took place, %(change)s.", "%(count)s visits took place, %(change)s.", held)
            change = words.change(held, then[Status.FULFILLED], self.period)
            panel.sentence = says % {"count": words.number(held), "change": change}
            panel.dashed = self._dashed(_("all visits"))
        if is_open := now[Status.BOOKED] + now[Status.ARRIVED]:
            says = ngettext("%(count)s more has no outcome yet.", "%(count)s more have no outcome yet.", is_open)
            panel.notes.append(says % {"count": words.number(is_open)})
        return panel

    def no_shows(self) -> Panel:
        """Of the visits whose patient was expected: what was cancelled counts on neither side."""
        missed = [one[Status.NOSHOW] for one in self.numbers.visits]
        wanted = [one[Status.NOSHOW] + one[Status.FULFILLED] for one in self.numbers.visits]
        rates = [_percent(part, whole) for part, whole in zip(missed, wanted, strict=True)]
        then, now = sum(missed[: self.half]), sum(missed[self.half :])
        all_then, all_now = sum(wanted[: self.half]), sum(wanted[self.half :])
        panel = self._panel("no-shows", _("Missed visits"), _("No patient was expected on these days."))
        panel.columns = [
            self._column(_("Missed, %"), rates),
            self._column(pgettext("visits", "Missed"), missed),
            self._column(pgettext("visits", "Expected"), wanted),
        ]
        if not all_now:
            return panel
        says = ngettext(
            "Of %(visits)s visits %(missed)s was missed (%(share)s), %(change)s.",
            "Of %(visits)s visits %(missed)s were missed (%(share)s), %(change)s.",
            now,
        )
        panel.sentence = says % {
            "visits": words.number(all_now),
            "missed": words.number(now),
            "share": words.share(now, all_now),
            "change": words.change(now, then, self.period),
        }
        panel.notes.append(_("Cancelled visits are left out."))
        panel.dashed = self._dashed(_("missed"))
        panel.keys = [
            Key("violet", pgettext("visits", "Missed"), words.share(now, all_now), words.share(then, all_then))
        ]
        ours = rates[self.half :]
        tips = _tips(self.names, [(pgettext("visits", "Missed"), ours)], words.per_cent)
        panel.chart = charts.columns({"violet": ours}, rates[: self.half], self.ticks, tips, words.per_cent)
        return panel

    def waits(self) -> Panel:
        """From the patient's arrival in the waiting room until somebody lets them in."""
        counts = self.numbers.waits
        panel = self._panel("waiting", _("Waiting time"), _("No patient was let in on these days."))
        names, inks = (_("Half, minutes"), _("Nine in ten, minutes")), ("teal", "amber")
        self._percentiles(panel, counts, int, names, words.number, inks)
        lines = [column.now for column in panel.columns]
        panel.columns.append(self._column(_("Patients"), [one.total() for one in counts]))
        then, now = self._sums(counts)
        if not now:
            return panel
        half, most = panel.keys
        says = _("Half of the patients were let in within %(half)s minutes, nine in ten within %(most)s")
        compared = _("%(now)s; in %(before)s within %(half)s and %(most)s.")
        panel.sentence = self._compared(
            says % {"half": half.now, "most": most.now}, compared, bool(then), half=half.then, most=most.then
        )
        panel.notes.append(_("From arrival in the waiting room until the patient is let in."))
        panel.dashed = self._dashed(_("half of the patients"))
        tips = _tips(self.names, list(zip(names, lines, strict=True)), words.number)
        panel.chart = charts.lines(
            dict(zip(inks, lines, strict=True)), panel.columns[0].then, self.ticks, tips, words.number
        )
        return panel

    def punctuality(self) -> Panel:
        """When video visits began, beside the time that they were booked for in the end."""
        starts = self.numbers.starts
        counts = [_by(one, _lateness) for one in starts]
        kinds = [
            ("on-time", "teal", _("On time")),
            ("late", "amber", _("Up to %(minutes)s minutes late") % {"minutes": LATE}),
            ("later", "red", _("Later than that")),
        ]
        panel = self._stacked("punctuality", _("Punctuality"), counts, kinds, _("No video visit began on these days."))
        names = (_("Half, minutes late"), _("Nine in ten, minutes late"))
        self._percentiles(panel, starts, int, names, words.number)
        if panel.chart:
            then, now = self._sums(counts)
            says = ngettext(
                "%(on_time)s of %(count)s video visit began on time (%(share)s)",
                "%(on_time)s of %(count)s video visits began on time (%(share)s)",
                now.total(),
            ) % {
                "on_time": words.number(now["on-time"]),
                "count": words.number(now.total()),
                "share": words.share(now["on-time"], now.total()),
            }
            panel.sentence = self._share_compared(says, "on-time", then)
            panel.dashed = self._dashed(_("all video visits"))
            note = _(
                "On time: at most %(minutes)s minutes after the booked time, of a visit that was moved the new one."
            )
            panel.notes.append(note % {"minutes": ON_TIME})
        return panel

    def messages(self) -> Panel:
        panel = self._panel("messages", _("Messages to patients"), _("No message was due on these days."))
        states = [
            (State.SENT, "teal", pgettext("messages", "Sent")),
            (State.FAILED, "red", pgettext("messages", "Failed")),
            (State.SUPPRESSED, "slate", pgettext("messages", "Not sent")),
            (State.UNKNOWN, "amber", pgettext("messages", "Perhaps sent")),
        ]
        then, now = self._sums(self.numbers.messages)
        by_state = [_by(one, lambda key: key[1]) for one in (now, then)]
        kinds = [kind for kind in Communication.Kind if any((kind, state) in now | then for state, *_more in states)]
        panel.per, panel.rows, panel.codes = _("Message"), [str(kind.label) for kind in kinds], list(kinds)
        for state, ink, name in states:
            panel.columns.append(
                Column(name, [now[kind, state] for kind in kinds], [then[kind, state] for kind in kinds])
            )
            panel.keys.append(Key(ink, name, *(words.number(one[state]) for one in by_state)))
        if not now:
            return panel
        failed, failed_then = (one[State.FAILED] for one in by_state)
        says = ngettext(
            "Of %(count)s messages %(failed)s failed (%(share)s), %(change)s.",
            "Of %(count)s messages %(failed)s failed (%(share)s), %(change)s.",
            failed,
        )
        panel.sentence = says % {
            "count": words.number(now.total()),
            "failed": words.number(failed),
            "share": words.share(failed, now.total()),
            "change": words.change(failed, failed_then, self.period),
        }
        panel.dashed = self._dashed(_("all messages"))
        panel.notes.append(_("Not sent: the visit changed, it was too late, or the patient does not want it."))
        tips = _tips(panel.rows, [(column.name, column.now) for column in panel.columns], words.number)
        inks = {ink: column.now for (_state, ink, _name), column in zip(states, panel.columns, strict=True)}
        before = _by(then, lambda key: key[0])
        panel.chart = charts.rows(inks, [before[kind] for kind in kinds], panel.rows, tips, words.number)
        return panel

    def quality(self) -> Panel:
        """By the flight recorder: each participant's minutes in video visits."""
        counts = [_by(one, lambda key: key[0]) for one in self.numbers.lines]
        kinds = [(GOOD, "teal", _("Good")), (WEAK, "amber", _("Weak")), (POOR, "red", _("Very weak"))]
        empty = _("Nobody was in a video visit on these days.")
        panel = self._stacked("quality", _("Quality of calls"), counts, kinds, empty, as_shares=True)
        lost = [_by(one, lambda key: key[1]) for one in self.numbers.lines]
        names = (_("Lost, half, %"), _("Lost, nine in ten, %"))
        self._percentiles(panel, lost, lambda steps: 100 * steps / LOSS_STEPS, names, words.number)
        trips = [_by(one, lambda key: key[2]) for one in self.numbers.lines]
        names = (_("Answer, half, ms"), _("Answer, nine in ten, ms"))
        self._percentiles(panel, trips, lambda steps: steps * TRIP_STEP, names, words.number)
        if panel.chart:
            then, now = self._sums(counts)
            says = _("The connection was good in %(share)s of the minutes") % {
                "share": words.share(now[GOOD], now.total())
            }
            panel.sentence = self._share_compared(says, GOOD, then)
            panel.dashed = self._dashed(_("good"))
            panel.notes.append(_("Minutes of each participant. Lost: what did not arrive. Answer: there and back."))
        return panel

    def sign_ins(self) -> Panel:
        counts = self.numbers.refused
        kinds = [
            ("password", "blue", _("Wrong password or passkey")),
            ("factor", "violet", _("Wrong code or key")),
            ("held-up", "slate", _("Held up after too many tries")),
        ]
        panel = self._stacked("sign-ins", _("Failed sign-ins"), counts, kinds, _("No sign-in failed on these days."))
        if panel.chart:
            then, now = (one.total() for one in self._sums(counts))
            says = ngettext("%(count)s sign-in failed, %(change)s.", "%(count)s sign-ins failed, %(change)s.", now)
            panel.sentence = says % {"count": words.number(now), "change": words.change(now, then, self.period)}
            panel.dashed = self._dashed(_("all failed sign-ins"))
            panel.notes.append(_("At accounts of this clinic; a guess at an account that nobody has is not counted."))
        return panel

    # --- what they share ----------------------------------------------------------------------

    def _panel(self, name: str, title: str, empty: str) -> Panel:
        """One that says that there is nothing, with the rows of what may come."""
        per = _("Week") if self.period.is_by_week else _("Day")
        return Panel(name, title, empty, per, self.names, [str(one) for one in self.period.stretches])

    def _stacked(
        self, name: str, title: str, counts: Counts, kinds: Sequence[Kind], empty: str, *, as_shares: bool = False
    ) -> Panel:
        """Columns of parts; its sentence is still ``empty`` when there is something to show."""
        panel = self._panel(name, title, empty)
        then, now = self._sums([Counter({key: one[key] for key, *_more in kinds}) for one in counts])
        for key, ink, word in kinds:
            panel.columns.append(self._column(word, [one[key] for one in counts]))
            of = [words.share(one[key], one.total()) if as_shares else words.number(one[key]) for one in (now, then)]
            panel.keys.append(Key(ink, word, *of))
        if not now.total():
            return panel
        say = words.per_cent if as_shares else words.number
        parts = _shares(panel.columns) if as_shares else panel.columns
        before = parts[0].then if as_shares else [sum(row) for row in zip(*(one.then for one in parts), strict=True)]
        tips = _tips(self.names, [(one.name, one.now) for one in parts], say)
        inks = {ink: one.now for (_key, ink, _word), one in zip(kinds, parts, strict=True)}
        panel.chart = charts.columns(inks, before, self.ticks, tips, say)
        return panel

    def _percentiles(
        self,
        panel: Panel,
        counts: Counts,
        value_of: Callable[[int], float],
        names: tuple[str, str],
        say: Say,
        inks: tuple[str, str] = ("", ""),
    ) -> None:
        """Add what half and nine in ten do not exceed: to the table for each stretch, to the keys for all of them."""
        then, now = self._sums(counts)

        def of(one: Counter[Any], percent: int) -> float | None:
            # What is not known of a minute counts on neither side.
            rank = nearest_rank({key: count for key, count in one.items() if key is not None}, percent)
            return None if rank is None else value_of(rank)

        for percent, name, ink in zip((HALF, MOST), names, inks, strict=True):
            panel.columns.append(self._column(name, [of(one, percent) for one in counts]))
            found = [of(one, percent) for one in (now, then)]
            panel.keys.append(Key(ink, name, *(NOTHING if one is None else say(one) for one in found)))

    def _dashed(self, what: str) -> str:
        return _("Dashed: %(what)s in %(before)s") % {"what": what, "before": words.before(self.period.days)}

    def _share_compared(self, says: str, key: str, then: Counter[Any]) -> str:
        compared = _("%(now)s; in %(before)s it was %(share)s.")
        return self._compared(says, compared, bool(then), share=words.share(then[key], then.total()))

    def _compared(self, says: str, compared: str, has_before: bool, **values: str) -> str:
        if not has_before:
            return f"{says}."
        return compared % {"now": says, "before": words.before(self.period.days), **values}

    def _column(self, name: str, values: Values) -> Column:
        return Column(name, values[self.half :], values[: self.half])

    def _sums(self, counts: Counts) -> tuple[Counter[Any], Counter[Any]]:
        """Of the whole period before, and of this one."""
        sums: tuple[Counter[Any], Counter[Any]] = Counter(), Counter()
        for number, one in enumerate(counts):
            sums[number >= self.half].update(one)
        return sums


def _by(counts: Counter[Any], kind_of: Callable[[Any], Any]) -> Counter[Any]:
    """The same, counted by something that the keys have in common."""
    found: Counter[Any] = Counter()
    for key, count in counts.items():
        found[kind_of(key)] += count
    return found


def _lateness(minutes: int) -> str:
    return "on-time" if minutes <= ON_TIME else "late" if minutes <= LATE else "later"


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _shares(columns: Sequence[Column]) -> list[Column]:
    """The same as per cents of their rows."""

    def of(values: Sequence[Values]) -> list[Values]:
        sums = [sum(cell or 0 for cell in row) for row in zip(*values, strict=True)]
        return [[_percent(cell or 0, whole) for cell, whole in zip(one, sums, strict=True)] for one in values]

    now, then = of([column.now for column in columns]), of([column.then for column in columns])
    return [Column(column.name, *values) for column, *values in zip(columns, now, then, strict=True)]


def _tips(rows: Sequence[str], parts: Sequence[tuple[str, Values]], say: Say) -> list[str]:
    """Of each row its name and what it has of each part."""
    found = []
    for row, *cells in zip(rows, *(values for _name, values in parts), strict=True):
        known = [f"{name} {say(cell)}" for (name, _values), cell in zip(parts, cells, strict=True) if cell is not None]
        found.append(f"{row}: {', '.join(known) or NOTHING}")
    return found
