"""What each socket of a test shows when it opens: a ticket, fetched as a page does."""

from channels.db import database_sync_to_async
from django.conf import settings
from django.test import Client

from visits.live.tickets import SUBPROTOCOL

ADDRESS = "/socket-ticket/"


def ticket_for(client: Client, path: str) -> str:
    """A new ticket of the browser's session to the socket at ``path``; empty where it has no session."""
    page = Client(headers={"host": "localhost"})  # another one, since it may lose the cookie of a session that ended
    if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):
        page.cookies[settings.SESSION_COOKIE_NAME] = cookie.value
    return str(page.post(ADDRESS, {"path": path}).json().get("ticket", ""))


async def offered(client: Client, path: str) -> list[str]:
    """The subprotocols of a handshake with a new ticket."""
    ticket = await database_sync_to_async(ticket_for)(client, path)
    return [SUBPROTOCOL, ticket] if ticket else [SUBPROTOCOL]
