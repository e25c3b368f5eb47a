"""By what somebody wants to be written to: their own page, and the one on which staff note what they said."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_party, for_staff
from accounts.models import Patient, RelatedPerson
from accounts.policy import Action
from accounts.principal import Principal
from accounts.proxies.access import patient_for
from visits.booking.access import appointment_for
from visits.reminders.models import Communication
from visits.reminders.services import preferences, rules

Recipient = Patient | RelatedPerson


@dataclass(frozen=True)
class Way:
    """One channel to one person; ``address`` is empty where there is none on file."""

    recipient: Recipient
    channel: Communication.Channel
    address: str
    is_wanted: bool
    is_dead: bool

    @property
    def name(self) -> str:
        """The name of its checkbox."""
        return f"{self.channel}-{self.recipient.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def own(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """By what the patient, or who acts for them, wants to hear. POST notes it."""
    visit = appointment_for(request.principal, pk, Action.PAST_SEE)
    recipient: Recipient = request.principal.acts_as or visit.patient
    found = ways_of(recipient)
    if request.method == "POST":
        _note(found, request.POST, request.principal)
        messages.success(request, _("Saved."))
        return redirect("reminders:own-ways", pk=pk)
    return render(request, "reminders/own_ways.html", {"visit": visit, "ways": found})


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.VISIT_CHANGE)
def of_patient(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """By what the patient, and each who acts for them, is written to. POST notes what they said."""
    patient = patient_for(request.principal, pk, Action.VISIT_CHANGE)
    people = [one or patient for one in rules.recipients(patient)]
    if request.method == "POST":
        _note([way for one in people for way in ways_of(one)], request.POST, request.principal)
        messages.success(request, _("Saved."))
        return redirect("reminders:ways", pk=pk)
    record("contact.view", Audit.READ, principal=request.principal, entity=patient, patient=patient, request=request)
    context = {"patient": patient, "people": [(one, ways_of(one)) for one in people]}
    return render(request, "reminders/ways.html", context)


def ways_of(recipient: Recipient) -> list[Way]:
    """Every channel that the clinic uses."""
    found = []
    for channel in rules.channels(recipient.clinic, Communication.Kind.REMINDER):
        known, address = preferences.of(recipient, channel), rules.address_of(recipient, channel)
        is_dead = known is not None and known.bounced_at is not None and known.bounced_address == address
        is_wanted = known is None or known.opted_out_at is None
        found.append(Way(recipient, channel, address, is_wanted, is_dead))
    return found


@transaction.atomic
def _note(ways: Iterable[Way], said: QueryDict, principal: Principal) -> None:
    for way in ways:
        change = preferences.opt_in if way.name in said else preferences.opt_out
        change(way.recipient, way.channel, principal=principal)
