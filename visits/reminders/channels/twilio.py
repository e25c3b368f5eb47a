"""Text messages by Twilio's REST API (2010-04-01), and the signature of its webhooks."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import requests
from django.conf import settings
from django.urls import reverse

from visits.reminders.channels import http
from visits.reminders.channels.base import OptedOut, RefusedForGood

TIMEOUT = (5, 20)  # to connect, to answer; seconds
# Error codes of the API that are about the number, not about us.
STOPPED = 21610
NO_SUCH_NUMBER = {21211, 21214, 21217, 21612, 21614}


class TwilioBackend:
    # The Messages resource knows no idempotency keys.
    is_idempotent = False

    def send(self, *, to: str, text: str, key: str) -> str:
        account = settings.TWILIO_ACCOUNT_SID
        sender = settings.SMS_FROM
        try:
            answer = requests.post(
                f"{settings.TWILIO_API}/2010-04-01/Accounts/{account}/Messages.json",
                data={
                    "To": to,
                    "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
                    "Body": text,
                    "StatusCallback": settings.BASE_URL + reverse("reminders:sms-status", kwargs={"pk": key}),
                },
                auth=(account, settings.TWILIO_AUTH_TOKEN),
                timeout=TIMEOUT,
            )
        except requests.RequestException as error:
            raise http.failure(error) from error
        if answer.ok:
            return str(_json(answer).get("sid", ""))
        raise _refusal(answer.status_code, _json(answer).get("code"))


def is_signed(url: str, fields: Mapping[str, str], signature: str) -> bool:
    """Whether Twilio made this request: HMAC-SHA1 over the address and the sorted fields, in base 64."""
    text = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    digest = hmac.new(settings.TWILIO_AUTH_TOKEN.encode(), text.encode(), hashlib.sha1).digest()
    return bool(settings.TWILIO_AUTH_TOKEN) and hmac.compare_digest(
        base64.b64encode(digest), signature.encode("utf-8", "replace")
    )


def _refusal(status: int, code: Any) -> Exception:
    if code == STOPPED:
        return OptedOut()
    return RefusedForGood(is_address=True) if code in NO_SUCH_NUMBER else http.refusal(status)


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
