"""What happened in a clinic in a period and in the one before, counted by the database. No names, no rows of people.

Each figure is one query whatever the period, so the page has as many for a clinic of any size. An instant finds its
stretch by comparing it with the edges (see ``Period``): the database knows no zones, so SQLite and PostgreSQL do the
same. What percentiles are wanted of is rounded up to whole steps and counted by value (see ``ranks``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    Count,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    Value,
    When,
)
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Cast, Ceil, Coalesce, Greatest

from accounts.models import AuditEvent, Clinic
from visits.booking.models import Appointment
from visits.dashboard.period import Period
from visits.reminders.models import Communication
from visits.room.models import Encounter, LineMinute
from visits.waiting.models import Ticket

# Of a line, as people hear and see it in the call (static/js/room/stats.js): above these it is weak, or poor.
WEAK_LOSS, POOR_LOSS = 0.03, 0.1
WEAK_TRIP, POOR_TRIP = 300, 800  # milliseconds
GOOD, WEAK, POOR = "good", "weak", "poor"
LOSS_STEPS = 1000  # of all that was sent: 1 is a thousandth
TRIP_STEP = 10  # milliseconds

# How a sign-in fails, by the trail's events.
REFUSED = {
    "user.signin": "password",
    "mfa.verify": "factor",
    "recovery-codes.use": "factor",
    "user.lock": "held-up",
}
# What became of messages whose time has come.
ENDED = (
    Communication.State.SENT,
    Communication.State.FAILED,
    Communication.State.SUPPRESSED,
    Communication.State.UNKNOWN,
)

Counts = list[Counter[Any]]  # one for each stretch: those of the period before, then those of the period


@dataclass(frozen=True)
class Numbers:
    """Everything that the dashboard shows, by stretch. A visit and all of it belong to the day that it starts on."""

    visits: Counts  # by status
    waits: Counts  # by minutes from arrival until the patient was let in
    starts: Counts  # by minutes from the booked time until the video visit began; less than 0: early
    messages: Counts  # by (kind, state), on the day they were due
    lines: Counts  # participants' minutes in video visits, by (level, thousandths lost, tens of ms until an answer)
    refused: Counts  # sign-ins that failed, by how


def numbers_of(clinic: Clinic, period: Period) -> Numbers:
    """Six queries."""
    edges = period.edges
    visits = Appointment.objects.filter(clinic=clinic)
    tickets = Ticket.objects.filter(appointment__clinic=clinic, admitted_at__isnull=False)
    encounters = Encounter.objects.filter(appointment__clinic=clinic)
    lines = LineMinute.objects.filter(seat__encounter__appointment__clinic=clinic)
    messages = Communication.objects.filter(patient__clinic=clinic, state__in=ENDED)
    refused = AuditEvent.objects.filter(clinic=clinic, subtype__in=REFUSED).exclude(outcome=AuditEvent.Outcome.SUCCESS)
    loss, trip = _worse("loss_up", "loss_down"), _mean("round_trip")
    known = lines.annotate(loss=loss, trip=trip).filter(Q(loss__isnull=False) | Q(trip__isnull=False))
    steps = [_level(), _up(F("loss") * LOSS_STEPS), _up(F("trip") / TRIP_STEP)]
    kinds = [When(subtype=event, then=Value(kind)) for event, kind in REFUSED.items()]
    return Numbers(
        visits=_counted(visits, "start", edges, F("status")),
        waits=_counted(tickets, "appointment__start", edges, _minutes("arrived_at", "admitted_at")),
        starts=_counted(encounters, "appointment__start", edges, _minutes("appointment__start", "started_at")),
        messages=_counted(messages, "due_at", edges, F("kind"), F("state")),
        lines=_counted(known, "seat__encounter__appointment__start", edges, *steps),
        refused=_counted(refused, "recorded", edges, Case(*kinds)),
    )


def _counted(rows: Any, when: str, edges: Sequence[datetime], *keys: Combinable) -> Counts:
    """How many rows each stretch has of each key, or of each tuple of keys."""
    rows = rows.filter(**{f"{when}__gte": edges[0], f"{when}__lt": edges[-1]}).order_by()
    names = [f"key_{number}" for number in range(len(keys))]
    rows = rows.annotate(stretch=_stretch(when, edges), **dict(zip(names, keys, strict=True)))
    counts: Counts = [Counter() for _ in edges[1:]]
    for stretch, *key, count in (
        rows.values("stretch", *names).annotate(count=Count("*")).values_list("stretch", *names, "count")
    ):
        counts[stretch][tuple(key) if len(key) > 1 else key[0]] += count
    return counts


def _stretch(when: str, edges: Sequence[datetime]) -> Expression:
    """The number of the stretch, by halves: seven comparisons find one of a hundred."""

    def between(low: int, high: int) -> Expression:
        if high - low == 1:
            return Value(low)
        middle = (low + high) // 2
        before = When(**{f"{when}__lt": edges[middle]}, then=between(low, middle))
        return Case(before, default=between(middle, high), output_field=IntegerField())

    return between(0, len(edges) - 1)


class Minutes(Func):
    """From one instant until another in minutes, rounded up."""

    output_field = IntegerField()
    arg_joiner = " - "
    template = "CEILING(EXTRACT(EPOCH FROM (%(expressions)s)) / 60)::integer"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Django's difference of times is Python, called for each row: this is not, and exact to the microsecond."""
        (end, of_end), (begin, of_begin) = (compiler.compile(one) for one in self.get_source_expressions())
        return f"CEILING(({_micros(end)} - {_micros(begin)}) / 60000000.0)", [*of_end, *of_end, *of_begin, *of_begin]


def _micros(instant: str) -> str:
    """SQL for the microseconds since 1970 of "2026-11-29 08:00:00.123456", whose fraction may be missing."""
    seconds, fraction = f"strftime('%%s', substr({instant}, 1, 19))", f"substr({instant}, 21)"
    return f"(CAST({seconds} AS INTEGER) * 1000000 + CAST(substr({fraction} || '000000', 1, 6) AS INTEGER))"


def _minutes(begin: str, end: str) -> Minutes:
    return Minutes(F(end), F(begin))


class Mean(Func):
    """Of the minute's seconds: rows keep the least, the mean and the most. One look into JSON: Django takes two."""

    output_field = FloatField()

    def __init__(self, figures: Any, figure: str = "", **extra: Any) -> None:
        super().__init__(figures, figure=figure, **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(json_extract(%(expressions)s, '$.%(figure)s[1]') AS REAL)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(%(expressions)s #>> '{%(figure)s,1}')::double precision"
        return self.as_sql(compiler, connection, template=template, **context)


def _mean(figure: str) -> Mean:
    return Mean(F("relay"), figure=figure)


def _worse(one: str, other: str) -> Greatest:
    """The larger, or the one that is known."""
    return Greatest(Coalesce(_mean(one), _mean(other)), Coalesce(_mean(other), _mean(one)))


def _up(value: Combinable) -> Cast:
    return Cast(Ceil(value), IntegerField())


def _level() -> Case:
    return Case(
        When(Q(loss__gt=POOR_LOSS) | Q(trip__gt=POOR_TRIP), then=Value(POOR)),
        When(Q(loss__gt=WEAK_LOSS) | Q(trip__gt=WEAK_TRIP), then=Value(WEAK)),
        default=Value(GOOD),
    )
