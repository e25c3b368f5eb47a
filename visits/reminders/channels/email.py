"""E-mail, through whatever Django backend the settings name: SMTP, files, or a provider of django-anymail."""

import contextlib
import re
import smtplib
from collections.abc import Callable
from datetime import datetime

import requests
from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from visits.reminders import letters, links
from visits.reminders.channels import http
from visits.reminders.channels.base import RefusedForGood, RefusedForNow, Unreachable, Unsure
from visits.reminders.models import Communication

# Nobody is there (RFC 3463 §3.2), or the server has no better word for it (RFC 5321 §4.2.3).
NO_SUCH_ADDRESS = re.compile(rb"5\.1\.\d+")
ANY_STATUS = re.compile(rb"\b5\.\d+\.\d+")
UNAVAILABLE = {550, 551, 553}


class EmailChannel:
    # A Message-ID is for mail programs; no server that we know refuses a second copy by it.
    is_idempotent = False

    def send(self, message: Communication, *, now: datetime, handing_over: Callable[[], None]) -> str:
        server = get_connection()
        try:
            server.open()  # before the link: none is made while nobody takes mails
        except (OSError, requests.RequestException) as error:  # smtplib's exceptions are OSErrors
            raise Unreachable from error
        try:
            mail = letters.compose(message, link=links.to_visit(message), now=now)
            _hand_over(server, mail, handing_over)
        finally:
            with contextlib.suppress(OSError):
                server.close()
        status = getattr(mail, "anymail_status", None)
        return str((status and status.message_id) or "")


def _hand_over(server: BaseEmailBackend, mail: EmailMultiAlternatives, handing_over: Callable[[], None]) -> None:
    talk = getattr(server, "connection", None)
    crossed = False

    def cross() -> None:
        nonlocal crossed
        handing_over()
        crossed = True

    if isinstance(talk, smtplib.SMTP):
        _call_before_data(talk, cross)
    else:
        cross()
    try:
        server.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(*min(error.recipients.values())) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except AnymailRecipientsRefused as error:
        raise RefusedForGood(is_address=True) from error
    except AnymailAPIError as error:
        raise http.refusal(error.status_code) if error.status_code else _without_answer(error) from error
    except OSError as error:
        raise (Unsure if crossed else Unreachable) from error


def _call_before_data(talk: smtplib.SMTP, cross: Callable[[], None]) -> None:
    """Before DATA the server has nothing; from then on it may have taken the mail (RFC 5321 §4.1.1.4)."""
    send_data = talk.data

    def data(text: bytes | str) -> tuple[int, bytes]:
        cross()
        return send_data(text)

    talk.data = data  # type: ignore[method-assign, assignment]


def _refusal(code: int, words: bytes | str) -> Exception:
    if code == 421:  # "closing transmission channel": it is about the server, not about this mail
        return Unreachable()
    if code < 500:
        return RefusedForNow()
    text = words if isinstance(words, bytes) else words.encode()
    plain = code in UNAVAILABLE and not ANY_STATUS.search(text)
    return RefusedForGood(is_address=plain or bool(NO_SUCH_ADDRESS.search(text)))


def _without_answer(error: AnymailAPIError) -> Exception:
    return http.failure(error.__cause__) if isinstance(error.__cause__, requests.RequestException) else Unsure()
