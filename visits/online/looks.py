"""Who opened the patient's record: the staff's part of the audit trail about this patient, in plain words.

45 CFR 164.528 asks for less; patients ask for this. Lists of many patients (the day's board, a search) name nobody on
the trail, so they are not here, and the page says so.
"""

import uuid
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_party
from accounts.models import AuditEvent, Patient
from accounts.policy import Action, Role
from visits.booking.access import appointment_for
from visits.schedule.moment import Moment, of_page

A_PAGE = 25

WORDS: dict[str, Promise] = {
    "admin.view": _("Opened your data in the administration"),
    "appointment.arrive": _("Noted that you arrived"),
    "appointment.book": _("Booked a visit"),
    "appointment.cancel": _("Cancelled a visit"),
    "appointment.fulfil": _("Noted that a visit took place"),
    "appointment.miss": _("Marked a visit as missed"),
    "appointment.move": _("Moved a visit"),
    "contact.opt-in": _("Noted that you want messages"),
    "contact.opt-out": _("Noted that you do not want messages"),
    "contact.view": _("Looked at how messages reach you"),
    "link.issue": _("Made a link to a visit of yours"),
    "message.again": _("Sent you a message again"),
    "message.settle": _("Noted that a message reached you"),
    "proxy.change": _("Changed what somebody may do for you"),
    "proxy.end": _("Ended that somebody acts for you"),
    "proxy.grant": _("Granted that somebody acts for you"),
    "proxy.view": _("Looked at who acts for you"),
    "patient.activate": _("Opened your record for visits again"),
    "patient.add": _("Added you to the clinic’s patients"),
    "patient.deactivate": _("Closed your record for new visits"),
    "record.ask": _("Asked for a copy of your record"),
    "record.emergency": _("Opened your record in an emergency"),
    "record.emergency-review": _("Reviewed that your record was opened in an emergency"),
    "record.export": _("Downloaded a copy of your record"),
    "record.hold": _("Ordered that your record is kept"),
    "record.release": _("Ended the order that your record is kept"),
    "record.view": _("Opened the page of your record"),
    "summary.publish": _("Published the summary of a visit"),
    "summary.save": _("Wrote at the summary of a visit"),
    "summary.view": _("Read the summary of a visit"),
    "visit.admit": _("Let you in from the waiting room"),
    "visit.end": _("Ended the video visit"),
    "visit.invite": _("Invited somebody to your visit"),
    "visit.join": _("Joined the video visit"),
    "visit.open": _("Began the video visit"),
    "visit.resume": _("Came back into the video visit"),
    "visit.unencrypt": _("Allowed the video visit without end-to-end encryption"),
    "visit.uninvite": _("Took an invitation to your visit back"),
    "visit.view": _("Opened a visit of yours"),
}
# Of what has no words of its own.
KINDS: dict[str, Promise] = {
    Audit.CREATE: _("Added to your record"),
    Audit.READ: _("Looked at your data"),
    Audit.UPDATE: _("Changed your record"),
    Audit.DELETE: _("Removed something from your record"),
    Audit.EXECUTE: _("Worked with your record"),
}


@dataclass(frozen=True)
class Look:
    """One row of the page. ``name`` is empty where the clinic keeps names to itself."""

    at: Moment
    role: str
    name: str
    what: Promise
    was_refused: bool


@require_safe
@for_party
def looks(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Who of the staff opened or changed the patient's record, newest first (GET ``page``)."""
    visit = appointment_for(request.principal, pk, Action.TRAIL_READ_OWN)
    record("trail.view", Audit.READ, principal=request.principal, entity=visit, patient=visit.patient, request=request)
    page = Paginator(events_about(visit.patient), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "opened": visit,
        "page": page,
        "looks": [look_of(event, visit.patient) for event in page],
    }
    return render(request, "online/looks.html", context)


def events_about(patient: Patient) -> QuerySet[AuditEvent]:
    """The staff's part of the trail about a patient, newest first."""
    return (
        AuditEvent.objects.filter(patient=patient, user__isnull=False, user__patient=None, user__related_person=None)
        .select_related("user")
        .order_by("-id")
    )


def look_of(event: AuditEvent, patient: Patient) -> Look:
    """One of ``events_about`` the patient, as they may see it."""
    return Look(
        at=of_page(event.recorded, patient.home_zone),
        role=Role(event.role).label if event.role in list(Role) else "",
        name=event.user.name if event.user and patient.clinic.names_staff else "",
        what=WORDS.get(event.subtype) or KINDS[event.action],
        was_refused=event.outcome != AuditEvent.Outcome.SUCCESS,
    )
