"""The health page says aloud when messages do not go out."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.reminders.conftest import announce
from visits.reminders import services
from visits.reminders.models import Communication, Heartbeat

PATH = "/healthz/messages/"


@pytest.mark.django_db
def test_before_the_first_tick_it_is_not_well():
    assert Client().get(PATH).status_code == 503


def test_a_tick_makes_it_well_and_silence_does_not(visit, mail_server):
    announce(visit, "booked")
    services.send_due()
    page = Client().get(PATH)
    assert (page.status_code, page.content.decode().splitlines()[0]) == (200, "ok")

    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=3))
    page = Client().get(PATH)
    assert page.status_code == 503
    assert "seconds since the last tick: 18" in page.content.decode()


def test_a_line_that_does_not_move_is_not_well(visit, mail_server):
    announce(visit, "booked")
    services.send_due()
    Communication.objects.filter(kind="reminder", state="planned").update(due_at=timezone.now() - timedelta(minutes=11))

    assert Client().get(PATH).status_code == 503


@pytest.mark.django_db
def test_the_load_balancers_page_does_not_care():
    assert Client().get("/healthz/").status_code == 200
