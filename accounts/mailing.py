"""Mail that somebody has to hear by: tried again for an hour while the mail server is away."""

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

# In seconds. None is so long that the broker takes the task for lost (an hour) and gives it to a second worker.
WAITS = (30, 60, 120, 240, 480, 900, 900, 900)


class Unsent(Exception):
    """Why a mail is not sent yet: the name of the error alone, since its text may hold the address."""


def insist(task: Any, what: str, mail: Callable[[], object]) -> None:
    """Have ``task``, which is bound, run again later when ``mail`` fails; after the last time say in the log that
    ``what`` was not sent."""
    try:
        mail()
    except OSError as error:  # smtplib's exceptions are OSErrors
        name, tries = type(error).__name__, task.request.retries
    else:
        return
    if tries == len(WAITS):
        log.error("%s: %s, not sent and given up", what, name)
        return
    log.warning("%s: %s, tried again", what, name)
    raise task.retry(exc=Unsent(name), countdown=WAITS[tries], max_retries=len(WAITS))
