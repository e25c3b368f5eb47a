"""Row 31 of the checklist: a grant that ends closes what is open by it, within seconds."""

from datetime import date

import pytest
from channels.db import database_sync_to_async

from accounts.models import RelatedPerson
from accounts.proxies import services
from tests import factories
from tests.live.sockets import Socket
from tests.party import browser, make_link
from tests.proxies.conftest import ana, desk  # noqa: F401
from visits.live import consumer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page_of(visit):
    return lambda person: browser(make_link(visit, proxy=person))


async def test_an_end_closes_the_open_page_at_once(monkeypatch, visit, page_of, ana, desk):  # noqa: F811
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 3600)
    client = await database_sync_to_async(page_of)(ana)
    async with Socket(client, f"/ws/my/{visit.pk}/waiting/") as page:
        await page.until("state")
        await database_sync_to_async(services.end)(principal=desk, person=ana)

        assert await page.until_closed() == 4401


async def test_others_stay_where_they_are(monkeypatch, visit, page_of, ana, desk):  # noqa: F811
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 3600)
    other = await database_sync_to_async(factories.make_proxy)(visit.patient)
    client = await database_sync_to_async(page_of)(other)
    await database_sync_to_async(page_of)(ana)
    async with Socket(client, f"/ws/my/{visit.pk}/waiting/") as page:
        await page.until("state")
        await database_sync_to_async(services.end)(principal=desk, person=ana)
        await page.send("ping")

        assert (await page.until("pong"))["type"] == "pong"


async def test_a_grant_that_runs_out_closes_it_at_the_next_look(monkeypatch, visit, page_of, ana):  # noqa: F811
    """As on the birthday: nobody does anything."""
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 0.4)
    client = await database_sync_to_async(page_of)(ana)
    async with Socket(client, f"/ws/my/{visit.pk}/waiting/") as page:
        await page.until("state")
        await RelatedPerson.objects.filter(pk=ana.pk).aupdate(valid_until=date(2020, 1, 2))

        assert await page.until_closed() == 4401
