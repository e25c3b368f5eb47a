"""Whose session ends is out of the call within five seconds, whatever their browser does."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.models import Session, User
from accounts.sessions import services
from tests.room.sockets import Page, is_gone, is_here
from tests.room.test_lost_sockets import lose
from visits.live import consumer
from visits.live.consumer import NOT_ALLOWED
from visits.room import presence
from visits.room.models import Encounter, Presence

pytestmark = pytest.mark.django_db(transaction=True)

Pages = Callable[[], Page]
WITHIN = 5.0  # seconds


async def end(user: User) -> float:
    await sync_to_async(services.end_all)(user, why="test")
    return time.monotonic()


async def test_in_a_call_too(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, clinician: User
) -> None:
    """Row 8 of the checklist: who is disabled in a call is out of it within five seconds."""
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await two.until("state", is_here("clinician"))
        await two.person.sees("clinician", 0)
        clinician.is_active = False

        await sync_to_async(clinician.save)()

        ended = time.monotonic()
        # The browser does nothing: it neither closes the socket nor its media.
        await two.until("state", is_gone("clinician"))
        assert time.monotonic() - ended < WITHIN
        assert await one.until_closed() == NOT_ALLOWED
        assert await is_silent(two)

    assert (await Presence.objects.aget(seat__user=clinician)).left_why == presence.REMOVED


async def is_silent(page: Page) -> bool:
    """Nothing of the one who was sent out arrives any more."""
    since = time.monotonic() + 0.5
    await asyncio.sleep(1)
    try:
        async with asyncio.timeout(1):
            await page.person.sees("clinician", 0, since=since)
    except (TimeoutError, AssertionError):
        return True
    return False


async def test_without_a_socket_too(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, clinician: User
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await two.until("state", is_here("clinician"))
        await lose(one)

        ended = await end(clinician)

        await two.until("state", is_gone("clinician"))
        assert time.monotonic() - ended < WITHIN


async def test_a_visit_in_progress_is_activity(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
    clinician: User,
) -> None:
    """Row 3 of the checklist: a call in progress counts as activity, an open room without one does not."""
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.1)
    long_ago = timezone.now() - timedelta(minutes=10)
    own = Session.objects.filter(user=clinician)
    async with staff_page() as one:
        await one.until("state")
        await own.aupdate(seen_at=long_ago)
        await asyncio.sleep(1)
        assert (await own.aget()).seen_at == long_ago

        await one.join()
        await one.until("state", is_here("clinician"))
        async with asyncio.timeout(5):
            while (await own.aget()).seen_at == long_ago:
                await asyncio.sleep(0.1)
