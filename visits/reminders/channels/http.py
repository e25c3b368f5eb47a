"""What a failed HTTP request says about whether the provider has the message."""

import requests
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from visits.reminders.channels.base import RefusedForGood, RefusedForNow, Unreachable, Unsure


def failure(error: requests.RequestException) -> Exception:
    """Of a request without an answer: Unreachable if it surely never arrived, else Unsure."""
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable()
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return Unreachable() if isinstance(cause, NewConnectionError | NameResolutionError) else Unsure()


def refusal(status: int) -> Exception:
    """Of an answer that is no success, by RFC 9110 §15."""
    if status in {401, 403, 404, 407}:  # our account or our settings: it is not about this message
        return Unreachable()
    if status in {408, 425, 429, 503}:
        return RefusedForNow()
    return Unsure() if status >= 500 else RefusedForGood()
