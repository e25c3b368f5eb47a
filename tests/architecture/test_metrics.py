"""/metrics/: for who shows the token, in the form that monitoring reads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from telehealth.metrics import as_text
from visits.relay.client import Pulse
from visits.reminders.models import Communication
from visits.reminders.services import heartbeat

TOKEN = "abcdefghijklmnopqrstuvwxyz012345"
FACTS = {
    "us_per_packet": 12.5,
    "packets_per_batch": None,
    "loop_lag_ms": 1.5,
    "cpu_seconds": 3.25,
    "refused": {"over_budget": 4},
    "counted": {"forwarded": 1000, "moved": 1},
}
PULSE = Pulse("192.0.2.1:7000", rooms=2, peers=5, capacity=400, cpu=0.25, bitrate=3_000_000, load=0.1, facts=FACTS)


QUIET = heartbeat.Pulse(silent_for=None, due=0, oldest_due=timedelta(0), unknown=0, failed=0)


def test_there_is_no_such_page_without_a_token_in_the_settings(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}):
        assert client.get("/metrics/", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer ä"]
)
def test_who_does_not_show_the_token_reads_nothing(client: Client, settings: Any, shown: str | None) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics/", headers={} if shown is None else {"Authorization": shown})
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.django_db
def test_who_shows_it_reads_open_metrics(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.decode().endswith("# EOF\n")


def test_without_redis_it_says_so(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.REDIS_URL = TOKEN, "unix:///nowhere.sock"
    answer = client.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.content) == (503, b"redis")


def test_figures_are_named_by_node_and_hold_no_address() -> None:
    text = as_text({"one.ab": PULSE}, QUIET, [])

    assert 'telehealth_relay_rooms{node="one.ab"} 2\n' in text
    assert 'telehealth_relay_packet_cpu_microseconds{node="one.ab"} 12.5\n' in text
    assert 'telehealth_relay_cpu_seconds_total{node="one.ab"} 3.25\n' in text
    assert 'telehealth_relay_refused_total{node="one.ab",cause="over_budget"} 4\n' in text
    assert 'telehealth_relay_events_total{node="one.ab",event="forwarded"} 1000\n' in text
    assert "telehealth_relay_batch_packets{" not in text  # nothing was read lately
    assert "192.0.2.1" not in text
    for line in text.splitlines():
        assert re.fullmatch(r'# (EOF|(TYPE|UNIT|HELP) .+)|[a-z_]+(\{(\w+="[\w.-]+",?)+\})? [\d.]+', line), line


def test_a_dead_node_is_left_out() -> None:
    assert "one.ab" not in as_text(
        {"one.ab": Pulse(**{**{f: getattr(PULSE, f) for f in Pulse.__slots__}, "gone": True})}, QUIET, []
    )


def test_messages_that_are_due_unknown_or_failed_are_counted(client: Client, settings: Any, visit: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    now = timezone.now()
    ago = {"due_at": now - timedelta(minutes=7), "claimed_at": now - timedelta(hours=23)}
    states: list[dict[str, Any]] = [
        {"state": "planned", "due_at": now - timedelta(minutes=9)},
        {"state": "planned", "due_at": now - timedelta(minutes=1)},
        {"state": "planned", "due_at": now + timedelta(minutes=1)},
        {"state": "unknown", "reason": "no-answer", "dispatched_at": now, **ago},
        {"state": "failed", "reason": "refused", **ago},
        {"state": "failed", "reason": "refused", **ago, "claimed_at": now - timedelta(hours=25)},
    ]
    for serial, fields in enumerate(states):
        Communication.objects.create(appointment=visit, kind="confirmation", serial=serial, **fields)

    text = client.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()

    assert re.search(r"^telehealth_messages_oldest_due_seconds 54[0-9]$", text, re.MULTILINE)
    for line in ("due 2", "unknown 1", "failed 1"):
        assert f"\ntelehealth_messages_{line}\n" in text


@pytest.mark.django_db
def test_without_a_database_it_says_so(client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(now: Any) -> None:
        raise DatabaseError

    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(heartbeat, "pulse", down)
    answer = client.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.content) == (503, b"database")
