"""A web process as in production, beside the test and with its database."""

import os
import socket
import subprocess
import sys
from typing import IO
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from telehealth.embedded import end_with_parent, wait_until


class Web:
    """Always at the same port. ``environment`` and ``options`` (of uvicorn) come last; ``log`` takes what it writes."""

    def __init__(self, *options: str, log: IO[bytes] | None = None, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self._options, self._log, self._environment = options, log, environment
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "telehealth.asgi:application", "--host", "127.0.0.1", "--port",
             str(self.port), "--ws", "websockets-sansio", "--lifespan", "off", "--log-level", "warning",
             *self._options],
            env={**os.environ, "TELEHEALTH_DEBUG": "1", "TELEHEALTH_BASE_URL": self.address,
                 "TELEHEALTH_DATABASE_URL": database_url(), **self._environment},
            cwd=settings.BASE_DIR, preexec_fn=end_with_parent, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        wait_until(self._answers, self.process, "The web process")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """As when its machine loses power: it says goodbye to nobody."""
        self.process.kill()
        self.process.wait()


def database_url() -> str:
    """The one in use: the same server, and the test's name."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["TELEHEALTH_DATABASE_URL"])._replace(path=f"/{name}").geturl()
