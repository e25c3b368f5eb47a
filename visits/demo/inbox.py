"""Reads the files that the file backends leave for mails and text messages, as a mail program and a phone would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path

from django.conf import settings

SEPARATOR = b"\n" + b"-" * 79 + b"\n"


@dataclass(frozen=True)
class Attachment:
    number: int
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """One mail; ``pk`` is the file's name and the place in it."""

    pk: str
    raw: bytes
    arrived: datetime

    @cached_property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - that is what this policy makes
        return message

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def sender(self) -> str:
        name, address = parseaddr(str(self.message["From"] or ""))
        return name or address

    @property
    def to(self) -> str:
        return str(self.message["To"] or "")

    @property
    def is_sms(self) -> bool:
        return False

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def language(self) -> str:
        return str(self.message["Content-Language"] or "en")

    @property
    def attachments(self) -> list[Attachment]:
        return [
            Attachment(number, part.get_filename() or f"part-{number}", _type(part), _content(part))
            for number, part in enumerate(self.message.iter_attachments())
        ]

    def _body(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        return str(part.get_content()) if part else ""


@dataclass(frozen=True)
class Text:
    """One text message; ``pk`` is the file's name."""

    pk: str
    to: str
    text: str
    arrived: datetime

    is_sms = True
    html = ""
    language = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def subject(self) -> str:
        return self.text

    @property
    def sender(self) -> str:
        return self.text.partition(":")[0]


Message = Mail | Text


def messages() -> list[Message]:
    """All of them, newest first."""
    mails = [mail for path in Path(settings.EMAIL_FILE_PATH).glob("*.log") for mail in _mails_in(path)]
    texts = [text for path in Path(settings.SMS_FILE_PATH).glob("*.json") if (text := _text_in(path))]
    return sorted([*mails, *texts], key=lambda one: (one.arrived, one.pk), reverse=True)


def message(pk: str) -> Message | None:
    text = _text_in(Path(settings.SMS_FILE_PATH) / f"{Path(pk).name}.json")
    if text is not None:
        return text
    stem, _, _ = pk.rpartition("-")
    path = Path(settings.EMAIL_FILE_PATH) / f"{Path(stem).name}.log"
    return next((mail for mail in _mails_in(path) if mail.pk == pk), None)


def _text_in(path: Path) -> Text | None:
    try:
        sent = json.loads(path.read_text())
        arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    return Text(path.stem, sent["to"], sent["text"], arrived)


def _mails_in(path: Path) -> Iterator[Mail]:
    try:
        content = path.read_bytes()
        arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return
    for number, raw in enumerate(content.split(SEPARATOR)):
        if raw.strip():
            yield Mail(f"{path.stem}-{number}", raw.lstrip(b"\n"), arrived)


def _content(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _type(part: EmailMessage) -> str:
    method = part.get_param("method")
    return part.get_content_type() + (f"; method={method}" if method else "")
