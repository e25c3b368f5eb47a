import logging

import requests
from anymail.exceptions import AnymailError
from celery import shared_task

from accounts.codes import forget_old as forget_old_codes
from visits.online import codes
from visits.online.models import Verification
from visits.reminders.channels.base import RefusedForGood, RefusedForNow, Unreachable, Unsure

log = logging.getLogger(__name__)

NOT_SENT = (OSError, requests.RequestException, AnymailError, RefusedForGood, RefusedForNow, Unreachable, Unsure)


@shared_task(name="visits.online.tasks.send_code", ignore_result=True)
def send_code(pk: str) -> None:
    """Send the code; who waits for it in vain asks again, so nothing is tried twice."""
    verification = Verification.objects.select_related("clinic").filter(pk=pk).first()
    if verification is None:
        return
    try:
        codes.deliver(verification)
    except NOT_SENT as error:  # the text of an error may hold the address
        log.error("code %s: %s", pk, type(error).__name__)


@shared_task(name="visits.online.tasks.forget_old", ignore_result=True)
def forget_old() -> None:
    forget_old_codes(Verification)
