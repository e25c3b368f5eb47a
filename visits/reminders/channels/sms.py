"""Text messages, through the backend that the settings name."""

import json
import sys
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from visits.reminders import links, texts
from visits.reminders.models import Communication
from visits.reminders.services import rules


class SMSBackend(Protocol):
    """A provider of text messages."""

    is_idempotent: bool

    def send(self, *, to: str, text: str, key: str) -> str:
        """Send ``text`` to ``to`` (E.164); return the provider's id. ``key`` is the same for every try of a message.

        Raises what ``channels.base.Channel.send`` raises.
        """
        ...


def backend() -> SMSBackend:
    made: SMSBackend = import_string(settings.SMS_BACKEND)()
    return made


class SMSChannel:
    @property
    def is_idempotent(self) -> bool:
        return backend().is_idempotent

    def send(self, message: Communication, *, now: datetime, handing_over: Callable[[], None]) -> str:
        text = texts.compose(message, link=links.to_visit(message), now=now)
        to = rules.address_of(message.recipient, Communication.Channel.SMS)
        handing_over()
        return backend().send(to=to, text=text, key=str(message.pk))


class ConsoleBackend:
    """Writes text messages to the standard output, for whoever develops."""

    is_idempotent = False

    def send(self, *, to: str, text: str, key: str) -> str:
        sys.stdout.write(f"SMS to {to}: {text}\n")
        sys.stdout.flush()
        return ""


class FileBackend:
    """Every text message becomes a file in ``settings.SMS_FILE_PATH``; the demo's mailbox shows them."""

    is_idempotent = False

    def send(self, *, to: str, text: str, key: str) -> str:
        folder = Path(settings.SMS_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{timezone.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:12]}"
        draft = folder / f"{name}.part"
        draft.write_text(json.dumps({"to": to, "text": text, "key": key}))
        draft.rename(folder / f"{name}.json")
        return name
