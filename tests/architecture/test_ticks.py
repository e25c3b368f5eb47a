"""A periodic job that does not end well any more is named aloud, whichever it is."""

from datetime import timedelta
from typing import Any

import pytest
from celery.signals import beat_init
from django.test import Client
from django.utils import timezone

from telehealth import ticks
from telehealth.celery import app
from visits.reminders.models import Heartbeat
from visits.waitlist import services as waitlist
from visits.waitlist.tasks import offer_on

pytestmark = pytest.mark.django_db
PATH = "/healthz/jobs/"
OFFERS = "offer free times"


def look() -> tuple[int, list[str]]:
    page = Client().get(PATH)
    return page.status_code, page.content.decode().splitlines()


@pytest.fixture
def beat() -> None:
    """Beat has just started for the first time."""
    beat_init.send(sender=None)


def test_every_periodic_job_is_one_that_a_worker_knows_and_has_a_name_that_can_be_kept() -> None:
    app.loader.import_default_modules()
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert len(name) <= 32


def test_before_beat_has_ever_started_it_is_not_well() -> None:
    status, lines = look()

    assert (status, lines[0]) == (503, "silent")
    assert f"{OFFERS}: never (silent)" in lines


def test_once_beat_has_started_each_job_has_its_time(beat: None) -> None:
    assert look()[0] == 200
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(hours=1))
    beat_init.send(sender=None)

    status, lines = look()
    assert (status, lines[0]) == (503, "silent"), "starting anew makes nobody well"
    assert "let go of what is old: 3600" in lines, "a daily one may be silent for long"


def test_a_job_that_ends_well_is_noted_and_one_that_fails_is_not(beat: None, monkeypatch: Any) -> None:
    long_ago = timezone.now() - timedelta(minutes=6)
    Heartbeat.objects.filter(name=OFFERS).update(beat_at=long_ago)
    monkeypatch.setattr(waitlist, "tick", lambda: 1 / 0)
    offer_on.apply()
    status, lines = look()
    assert (status, [line for line in lines if "(silent)" in line]) == (503, [f"{OFFERS}: 360 (silent)"])

    monkeypatch.undo()
    offer_on.apply()
    assert look()[0] == 200
    assert Heartbeat.objects.get(name=OFFERS).beat_at > long_ago


@pytest.mark.parametrize("name", list(app.conf.beat_schedule))
def test_each_job_grows_silent_by_its_own_interval(beat: None, name: str) -> None:
    every = timedelta(seconds=app.conf.beat_schedule[name]["schedule"])
    for silent, status in ((2 * every + timedelta(minutes=4), 200), (2 * every + timedelta(minutes=6), 503)):
        Heartbeat.objects.filter(name=name).update(beat_at=timezone.now() - silent)
        assert look()[0] == status


def test_what_ran_a_moment_ago_is_not_written_again() -> None:
    now = timezone.now()
    for seconds in (0, 5, 29, 31):
        ticks.note("visits.waitlist.tasks.offer_on", now + timedelta(seconds=seconds))
    assert Heartbeat.objects.get().beat_at == now + timedelta(seconds=31)

    ticks.note("visits.records.tasks.make_copy", now)
    assert Heartbeat.objects.count() == 1, "no periodic job"


def test_monitoring_reads_it(client: Client, settings: Any, beat: None) -> None:
    settings.METRICS_TOKEN = "a-token-of-24-characters-"
    text = client.get("/metrics/", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()

    assert 'telehealth_job_silent_seconds{job="offer_free_times"} 0\n' in text


def test_what_is_no_periodic_job_costs_nothing(beat: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        ticks.note("visits.online.tasks.send_code", timezone.now())
