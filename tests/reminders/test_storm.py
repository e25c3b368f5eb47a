"""The storm, small; ``python -m tests.reminders.storm`` is the whole one."""

import shutil
from typing import Any

import pytest

from tests.reminders import storm


@pytest.mark.django_db(transaction=True)
def test_killed_workers_and_redis_lose_nothing_and_send_nothing_twice(settings: Any):
    shutil.rmtree(settings.SMS_FILE_PATH, ignore_errors=True)
    # The fixture puts back what the storm changes.
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = settings.EMAIL_BACKEND, "127.0.0.1", 1

    found = storm.run(messages=160, seed=1, seconds=120)

    assert all(found.get(f"{kind}, sent, arrived", 0) > 25 for kind in storm.KINDS), found
    assert found["perhaps sent"] <= found["perhaps sent, at most"], found
