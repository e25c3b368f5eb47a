"""What must be over before a test's event loop ends."""

from channels.db import database_sync_to_async


async def settle() -> None:
    """Wait for what sockets that have ended left to the database thread.

    A service there may announce something, for which it needs the loop: without one it would hold
    the thread, which all sockets share, for ever.
    """
    await database_sync_to_async(int)()
