"""What relay nodes cost and carry, how messages go out, how periodic jobs run: OpenMetrics text for Prometheus."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.doors import public
from telehealth.ticks import Tick, ticks
from visits.relay.client import Pulse, RelayClient, RelayUnavailable
from visits.reminders.services import heartbeat

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@require_safe
@public
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of every relay node and of messages, to who shows the token; without one set there is no such page.

    503 when Redis or the database does not answer, with its name.
    """
    if not settings.METRICS_TOKEN:
        raise Http404
    shown = request.headers.get("Authorization", "")
    if not secrets.compare_digest(shown.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        pulses = async_to_sync(_pulses)()
    except RelayUnavailable:
        return HttpResponse("redis", status=503, content_type="text/plain")
    try:
        messages, every = heartbeat.pulse(timezone.now()), ticks(timezone.now())
    except DatabaseError:
        return HttpResponse("database", status=503, content_type="text/plain")
    return HttpResponse(as_text(pulses, messages, every), content_type=CONTENT_TYPE)


async def _pulses() -> dict[str, Pulse]:
    client = RelayClient(settings.REDIS_URL, settings.RELAY_SECRET, timeout=2.0)
    try:
        return await client.pulses()
    finally:
        await client.aclose()


def as_text(pulses: Mapping[str, Pulse], messages: heartbeat.Pulse, every: Iterable[Tick]) -> str:
    """All of it as OpenMetrics 1.0. Node names and causes are our own words: letters, digits, dot, dash, _."""
    live = {node: pulse for node, pulse in pulses.items() if not pulse.is_dead}
    return "".join(f"{line}\n" for line in (*_relay(live), *_messages(messages), *_jobs(every), "# EOF"))


# What a pulse or its facts call it; the metric, with its unit; what it is.
GAUGES = (
    ("rooms", "rooms", "", "Rooms with somebody in them."),
    ("peers", "peers", "", "People in rooms."),
    ("load", "load", "ratio", "How near the node is to what it can carry."),
    ("cpu", "cpu", "cores", "Processor time a second, lately."),
    ("bitrate", "media", "bits_per_second", "Payload sent."),
    ("us_per_packet", "packet_cpu", "microseconds", "Processor time for each forwarded packet, lately."),
    ("packets_per_batch", "batch", "packets", "Datagrams read in one go, lately."),
    ("loop_lag_ms", "loop_lag", "milliseconds", "Longest delay of the event loop, lately."),
)


def _relay(pulses: Mapping[str, Pulse]) -> Iterator[str]:
    figures = {node: {**asdict(pulse), **pulse.facts} for node, pulse in sorted(pulses.items())}
    for key, name, unit, what in GAUGES:
        yield from _head(name, "gauge", unit, what)
        for node, known in figures.items():
            if known.get(key) is not None:
                yield f'{_full(name, unit)}{{node="{node}"}} {known[key]}'
    yield from _head("cpu", "counter", "seconds", "Processor time since the start.")
    for node, known in figures.items():
        yield f'{_full("cpu", "seconds")}_total{{node="{node}"}} {known.get("cpu_seconds", 0)}'
    for key, name, label, what in (
        ("counted", "events", "event", "What happened, by its name in the code."),
        ("refused", "refused", "cause", "What was dropped, by cause."),
    ):
        yield from _head(name, "counter", "", what)
        for node, known in figures.items():
            for word, count in sorted(known.get(key, {}).items()):
                yield f'{_full(name)}_total{{node="{node}",{label}="{word}"}} {count}'


def _messages(now: heartbeat.Pulse) -> Iterator[str]:
    for name, unit, value, what in (
        ("due", "", now.due, "Messages that should have gone out by now."),
        ("oldest_due", "seconds", round(now.oldest_due.total_seconds()), "How long the first of them has been due."),
        ("unknown", "", now.unknown, "Messages that wait for a person: perhaps sent."),
        ("failed", "", now.failed, "Messages of the last 24 hours that failed for good."),
    ):
        yield from _head(name, "gauge", unit, what, of="messages")
        yield f"{_full(name, unit, of='messages')} {value}"


def _jobs(every: Iterable[Tick]) -> Iterator[str]:
    what = "Since the job last ended well; one that is not here never did, and beat has not started."
    yield from _head("silent", "gauge", "seconds", what, of="job")
    for tick in every:
        if tick.silent_for is not None:
            job = tick.name.replace(" ", "_")
            yield f'{_full("silent", "seconds", of="job")}{{job="{job}"}} {tick.silent_for.total_seconds():.0f}'


def _head(name: str, kind: str, unit: str, what: str, *, of: str = "relay") -> Iterator[str]:
    full = _full(name, unit, of=of)
    yield f"# TYPE {full} {kind}"
    if unit:
        yield f"# UNIT {full} {unit}"
    yield f"# HELP {full} {what}"


def _full(name: str, unit: str = "", *, of: str = "relay") -> str:
    return f"telehealth_{of}_{name}" + (f"_{unit}" if unit else "")
