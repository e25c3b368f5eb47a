"""HTTP by Django, sockets by Channels."""

import gc
import os
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")
http_application = get_asgi_application()  # loads the apps that the imports below need

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from telehealth.body import BodyLimit  # noqa: E402
from visits.live.routing import websocket_urlpatterns as live_sockets  # noqa: E402
from visits.room.routing import websocket_urlpatterns as room_sockets  # noqa: E402
from visits.waiting.routing import websocket_urlpatterns as waiting_sockets  # noqa: E402


async def unknown_socket(scope: Any, receive: Any, send: Any) -> None:
    """Refuse the handshake; Channels would raise, and anybody could fill the log with tracebacks."""
    await send({"type": "websocket.close"})


application = ProtocolTypeRouter(
    {
        # Twice what Django reads of a form: it says no to the first half by itself, with a page.
        "http": BodyLimit(http_application, 2 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
        "websocket": OriginValidator(
            AuthMiddlewareStack(
                URLRouter([*live_sockets, *waiting_sockets, *room_sockets, re_path("", cast(Any, unknown_socket))])
            ),
            settings.SOCKET_ORIGINS,
        ),
    }
)

# What is loaded by now stays. Else each full collection looks through all of it: a tenth of a second in one request.
gc.collect()
gc.freeze()
