"""Whether this process can do its work, for a load balancer or the launcher; whether its beat works, for an alert."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.audit import sealing
from accounts.doors import public
from telehealth.ticks import Tick, ticks
from visits.reminders.services.heartbeat import pulse


@public
def health(request: HttpRequest) -> HttpResponse:
    """200 when the database and Redis answer, else 503 with the name of what does not."""
    missing = [name for name, answers in (("database", _database_answers), ("redis", _redis_answers)) if not answers()]
    return HttpResponse(" ".join(missing) or "ok", status=503 if missing else 200, content_type="text/plain")


@public
def messages(request: HttpRequest) -> HttpResponse:
    """200 while the messages of patients go out, else 503; with what an operator wants to know.

    It has an address of its own: web processes that are well must not be taken out of service for a worker that is not.
    """
    try:
        now = pulse(timezone.now())
    except DatabaseError:
        return HttpResponse("database", status=503, content_type="text/plain")
    silent = "never" if now.silent_for is None else f"{now.silent_for.total_seconds():.0f}"
    lines = [
        "ok" if now.is_well else "silent",
        f"seconds since the last tick: {silent}",
        f"seconds that the oldest message has been due: {now.oldest_due.total_seconds():.0f}",
        f"messages that wait for a person: {now.unknown}",
    ]
    return HttpResponse("\n".join(lines) + "\n", status=200 if now.is_well else 503, content_type="text/plain")


@public
def audit(request: HttpRequest) -> HttpResponse:
    """200 while the audit trail is sealed, else 503: what is not sealed can be removed without a trace."""
    try:
        waits = sealing.oldest_unsealed(timezone.now())
    except DatabaseError:
        return HttpResponse("database", status=503, content_type="text/plain")
    is_well = waits < sealing.WAITS
    lines = [
        "ok" if is_well else "silent",
        f"seconds that the oldest event has not been sealed: {waits.total_seconds():.0f}",
    ]
    return HttpResponse("\n".join(lines) + "\n", status=200 if is_well else 503, content_type="text/plain")


@public
def jobs(request: HttpRequest) -> HttpResponse:
    """200 while each periodic job comes to a good end in its time, else 503; with the silence of each, in seconds."""
    try:
        every = ticks(timezone.now())
    except DatabaseError:
        return HttpResponse("database", status=503, content_type="text/plain")
    is_well = all(tick.is_well for tick in every)
    lines = ["ok" if is_well else "silent", *(_tick_line(tick) for tick in every)]
    return HttpResponse("\n".join(lines) + "\n", status=200 if is_well else 503, content_type="text/plain")


def _tick_line(tick: Tick) -> str:
    silent = "never" if tick.silent_for is None else f"{tick.silent_for.total_seconds():.0f}"
    return f"{tick.name}: {silent}{'' if tick.is_well else ' (silent)'}"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
