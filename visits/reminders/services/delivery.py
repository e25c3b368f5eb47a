"""Sends what is due. Any number of workers may do it at once, and any of them may die at any moment.

A row is claimed by one conditional UPDATE, just before its mail is made, so that a dead worker
leaves one row behind. Delivery is **at least once**: between the mail server's yes and our note of
it lies a moment in which a worker can die. Its row is then claimed once more after ``ABANDONED``;
the mail carries the same Message-ID, so that most mail programs show it once. A row abandoned twice
is given up and says so.
"""

import contextlib
import logging
import smtplib
import uuid
from datetime import datetime, timedelta

from django.core.mail import get_connection
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.audit import services as audit
from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent
from visits.reminders import letters
from visits.reminders.models import Communication
from visits.reminders.services import planning

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

log = logging.getLogger(__name__)

BATCH = 200
ABANDONED = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=30)  # doubles with each attempt
LONGEST_PAUSE = timedelta(minutes=15)
MAX_REFUSALS = 5  # temporary ones (SMTP 4xx), such as greylisting
LINK_GRACE = timedelta(hours=4)  # visits run late; the links of one that ended end with it anyhow


class RefusedForGood(Exception):
    """The mail server will never take this mail (SMTP 5xx, RFC 5321 §4.2.1)."""


class RefusedForNow(Exception):
    """The mail server asks us to come back later (SMTP 4xx)."""


class Unreachable(Exception):
    """The mail server did not answer, or the talk with it broke off."""


def send_due(now: datetime | None = None) -> int:
    """Send each message that is due, unless its visit says otherwise by now; return how many went out.

    When the mail server does not answer, the rest waits for the next call.
    """
    sent = 0
    for pk in _due(now or timezone.now()):
        message = _claim(pk, now or timezone.now())
        if message is None:
            continue
        try:
            sent += _handle(message, now or timezone.now())
        except Unreachable:
            break
        except Exception as error:
            # The claim runs out: it is tried once more, then given up. An error's text may hold an address.
            log.error("message %s: %s", pk, type(error).__name__)
    return sent


def _due(now: datetime) -> list[uuid.UUID]:
    planned = Communication.objects.filter(state=State.PLANNED, due_at__lte=now)
    abandoned = Communication.objects.filter(state=State.CLAIMED, claimed_at__lt=now - ABANDONED)
    return list((planned | abandoned).order_by("due_at").values_list("pk", flat=True)[:BATCH])


def _claim(pk: uuid.UUID, now: datetime) -> Communication | None:
    """Make the row ours, unless another worker was quicker."""
    rows = Communication.objects.filter(pk=pk)
    ours = {"state": State.CLAIMED, "claimed_at": now, "attempts": F("attempts") + 1}
    abandoned = rows.filter(state=State.CLAIMED, claimed_at__lt=now - ABANDONED)
    claimed = (
        rows.filter(state=State.PLANNED, due_at__lte=now).update(**ours)
        or abandoned.filter(was_abandoned=False).update(**ours, was_abandoned=True)
    )  # fmt: skip
    if claimed:
        return rows.select_related("appointment__clinic", "appointment__patient", "appointment__practitioner").get()
    if abandoned.update(state=State.FAILED, reason=Reason.INTERRUPTED):
        log.error("message %s: abandoned twice, given up", pk)
    return None


def _handle(message: Communication, now: datetime) -> int:
    """Send a claimed message or note why not; 1 if it went out. Raises Unreachable when it must wait."""
    if reason := planning.why_not(message, now=now):
        _finish(message, State.SUPPRESSED, reason)
        return 0
    try:
        _send(message, now)
    except RefusedForGood:
        _finish(message, State.FAILED, Reason.REFUSED)
        return 0
    except RefusedForNow:
        _try_later(message, now, Reason.REFUSED, give_up=message.attempts >= MAX_REFUSALS)
        return 0
    except Unreachable:
        _try_later(message, now, Reason.UNREACHABLE)
        raise
    _finish(message, State.SENT)
    return 1


def _send(message: Communication, now: datetime) -> None:
    server = get_connection()
    try:
        server.open()  # before the link: none is made while nobody takes mails
    except OSError as error:  # smtplib's exceptions are OSErrors
        raise Unreachable from error
    try:
        mail = letters.compose(message, link=_link(message), now=now)
        server.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(min(code for code, _ in error.recipients.values())) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code) from error
    except OSError as error:
        raise Unreachable from error
    finally:
        with contextlib.suppress(OSError):
            server.close()


def _refusal(code: int) -> Exception:
    if code == 421:  # "closing transmission channel": it is about the server, not about this mail
        return Unreachable()
    return RefusedForGood() if code >= 500 else RefusedForNow()


def _link(message: Communication) -> str:
    """A link of the message's own: only its hash is kept, so an earlier one cannot be told again."""
    if message.kind == Kind.CANCELLATION:
        return ""
    visit = message.appointment
    _, url = links.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=visit.end + LINK_GRACE,
        patient=visit.patient,
    )
    return url


def _try_later(message: Communication, now: datetime, reason: Communication.Reason, *, give_up: bool = False) -> None:
    due_at = now + min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 10), LONGEST_PAUSE)
    if give_up or due_at >= planning.deadline(message):
        _finish(message, State.FAILED, reason)
    else:
        _still_ours(message).update(state=State.PLANNED, due_at=due_at)


@transaction.atomic
def _finish(message: Communication, state: Communication.State, reason: Communication.Reason = Reason.NONE) -> None:
    is_sent = state == State.SENT
    if not _still_ours(message).update(state=state, reason=reason, sent_at=timezone.now() if is_sent else None):
        log.error("message %s: took longer than its claim", message.pk)
    log.info("message %s: %s %s", message.pk, state, reason)
    if state == State.SUPPRESSED:
        return
    audit.record(
        "message.send",
        AuditEvent.Action.EXECUTE,
        clinic=message.appointment.clinic,
        entity=message,
        patient=message.appointment.patient,
        outcome=AuditEvent.Outcome.SUCCESS if is_sent else AuditEvent.Outcome.SERIOUS_FAILURE,
        detail={"kind": message.kind, "revision": message.revision, "attempts": message.attempts}
        | ({"reason": reason} if reason else {}),
    )


def _still_ours(message: Communication) -> QuerySet[Communication]:
    """The row, if nobody claimed it since: a worker that was only slow must not undo another's note."""
    return Communication.objects.filter(pk=message.pk, state=State.CLAIMED, claimed_at=message.claimed_at)
