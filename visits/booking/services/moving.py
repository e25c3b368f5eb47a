"""Moving a visit to another time, clinician or type."""

from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Practitioner
from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.errors import NotAvailable, WrongState
from visits.booking.models import Appointment, Hold
from visits.booking.services import checks, holds
from visits.booking.services.history import Change, note
from visits.booking.services.locks import lock_patient, lock_practitioners, lock_visit
from visits.schedule.models import VisitType


def move(
    *,
    principal: Principal | None,
    visit: Appointment,
    start: datetime,
    practitioner: Practitioner | None = None,
    visit_type: VisitType | None = None,
    reason: str = "",
    hold: Hold | None = None,
    at_any_time: bool = False,
    role: Role | None = None,
) -> Appointment:
    """Move a booked visit to the slot that begins at ``start``; where it is already, nothing changes.

    ``principal`` may be the patient, by their link, within the clinic's notice: they keep the type, and its own
    notice and days ahead bind them. ``reason`` stays in the clinic's history. For ``hold`` see ``book``.
    ``at_any_time``: the clinician's hours and the times that follow from them do not bind, as when they run late;
    staff only. ``role``: without a principal, who accepted the time; the history says so.

    Raises SlotTaken, PatientBusy, NotAvailable, TooLate, WrongState for a visit that is not booked any more,
    PermissionDenied for a patient who asks for another type or any time, and Http404 for who may not.
    """
    with transaction.atomic():
        visit = lock_visit(principal, visit, (Action.VISIT_CHANGE, Action.VISIT_CHANGE_OWN))
        old = visit.start, visit.end, visit.practitioner
        visit_type = visit_type or visit.visit_type
        practitioner = practitioner or visit.practitioner
        if visit_type.clinic_id != visit.clinic_id:
            raise Http404
        if visit.status != Appointment.Status.BOOKED:
            raise WrongState(visit)
        if (start, practitioner.pk, visit_type.pk) == (visit.start, visit.practitioner_id, visit.visit_type_id):
            return visit
        keeps_type = visit_type.pk == visit.visit_type_id
        is_patient = principal is not None and not principal.is_staff_member
        if is_patient and (at_any_time or not keeps_type):
            raise PermissionDenied
        locked = lock_practitioners(visit.clinic, [visit.practitioner_id, practitioner.pk])
        lock_patient(visit.clinic, visit.patient_id)
        if is_patient:
            checks.check_notice(visit)
        now = timezone.now()
        visit.practitioner = locked[practitioner.pk]
        visit.visit_type, visit.mode = visit_type, visit_type.mode
        visit.start, visit.end = start, start + timedelta(minutes=visit_type.minutes)
        visit.revision += 1
        own = holds.own(hold, principal, visit, now)
        if start < now or not at_any_time:
            checks.check_offered(
                visit.practitioner,
                visit_type,
                start,
                holds.asked_at(own, visit) or now,
                for_patient=is_patient,
                keeps_type=keeps_type,
            )
        checks.check_free(visit, now, own)
        checks.save(visit)
        note(visit, Change.MOVED, principal, role=role, old=old, reason=reason.strip()[:200])
        return visit


def move_back(*, principal: Principal, visit: Appointment, revision: int) -> Appointment:
    """Take back the move that made the visit's ``revision``: to the time and clinician that it had before.

    Hours do not bind, since it was there. Taken back already, nothing changes. Raises WrongState when the visit is
    not as that move left it, and what ``move`` raises.
    """
    with transaction.atomic():
        visit = lock_visit(principal, visit, (Action.VISIT_CHANGE,))
        moves = visit.changes.select_related("old_practitioner").filter(change=Change.MOVED)
        moved = moves.filter(revision=revision).first()
        if moved is None or moved.old_start is None or moved.old_practitioner is None:
            raise WrongState(visit)
        old = moved.old_start, moved.old_practitioner
        if visit.revision == revision + 1 and (visit.start, visit.practitioner) == old:
            return visit
        if visit.revision != revision:
            raise WrongState(visit)
        if not moved.old_practitioner.is_active:
            raise NotAvailable(moved.old_practitioner, visit.visit_type, moved.old_start)
        with override(visit.clinic.language):
            reason = _("The move was taken back.")
        return move(
            principal=principal, visit=visit, start=old[0], practitioner=old[1], reason=reason, at_any_time=True
        )
