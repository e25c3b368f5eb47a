"""What providers tell us: texts that patients send, and what became of what we sent. Signed, and harmless twice."""

import uuid
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason, tracking
from anymail.urls import urlpatterns as provider_patterns
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.doors import public
from visits.reminders.channels import twilio
from visits.reminders.models import Communication
from visits.reminders.services import inbound, preferences, reports

# What of Twilio's errors is about the number for good: it is unknown (30005), or a landline (30006).
NO_SUCH_NUMBER = {"30005", "30006"}


@csrf_exempt
@public
@require_POST
def sms(request: HttpRequest) -> HttpResponse:
    """A text message from a patient, by Twilio; the answer is TwiML."""
    if not _is_twilio(request):
        return HttpResponseForbidden()
    answer = inbound.receive(
        provider_id=request.POST.get("MessageSid", ""),
        sender=request.POST.get("From", ""),
        text=request.POST.get("Body", ""),
        handled=request.POST.get("OptOutType", ""),
    )
    words = f"<Message>{escape(answer)}</Message>" if answer else ""
    return HttpResponse(f'<?xml version="1.0" encoding="UTF-8"?><Response>{words}</Response>', content_type="text/xml")


@csrf_exempt
@public
@require_POST
def sms_status(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """What became of a text message of ours, by Twilio."""
    if not _is_twilio(request):
        return HttpResponseForbidden()
    message = _message(pk=pk, channel=Communication.Channel.SMS)
    status = request.POST.get("MessageStatus", "")
    if message and status in {"sent", "delivered"}:
        reports.delivered(message)
    elif message and status in {"failed", "undelivered"}:
        reports.failed(message, is_address=request.POST.get("ErrorCode", "") in NO_SUCH_NUMBER)
    return HttpResponse(status=204)


def mail_events(provider: str) -> Callable[..., HttpResponse]:
    """django-anymail's own view of a provider's events, which checks the secret and signatures and sends ``tracking``.

    Raises LookupError for a provider that reports nothing.
    """
    for pattern in provider_patterns:
        if pattern.name in {f"{provider}_tracking_webhook", f"{provider}_webhook"}:
            view: Callable[..., HttpResponse] = pattern.callback
            return public(view)
    raise LookupError(provider)


@receiver(tracking, dispatch_uid="reminders.mail_event")
def take_mail_event(*, event: AnymailTrackingEvent, **_: Any) -> None:
    """A bounce marks the address, a complaint ends what may be ended, an arrival settles what was unknown."""
    message = _mail_of(event)
    if message is None:
        return
    kind, reason = event.event_type, event.reject_reason
    if kind == EventType.DELIVERED:
        reports.delivered(message)
    elif kind in {EventType.BOUNCED, EventType.REJECTED}:
        reports.failed(message, is_address=reason in {RejectReason.INVALID, RejectReason.BOUNCED})
    elif kind in {EventType.COMPLAINED, EventType.UNSUBSCRIBED}:
        preferences.opt_out(message.recipient, message.channel)


def _mail_of(event: AnymailTrackingEvent) -> Communication | None:
    """By what we put into the mail, else by the provider's id of it."""
    try:
        pk = uuid.UUID(str((event.metadata or {}).get("message", "")))
    except ValueError:
        return _message(provider_id=event.message_id, channel="email") if event.message_id else None
    return _message(pk=pk, channel="email")


def _message(**which: Any) -> Communication | None:
    people = ("patient__clinic", "related_person__patient__clinic")
    return Communication.objects.select_related(*people).filter(**which).first()


def _is_twilio(request: HttpRequest) -> bool:
    fields = {name: str(value) for name, value in request.POST.items()}
    url = settings.BASE_URL + request.get_full_path()
    return twilio.is_signed(url, fields, request.headers.get("X-Twilio-Signature", ""))
