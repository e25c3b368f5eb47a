"""What a patient does before waiting: confirm details, agree to a video visit, answer questions, check the devices."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Clinic
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.intake import services as intake
from visits.live import events

Device = CheckIn.Device

LINE_OPENS_BEFORE = timedelta(minutes=30)


class Step(StrEnum):
    """What comes next on the way to the clinician."""

    DETAILS = "details"
    QUESTIONS = "questions"
    DEVICES = "devices"
    WAITING = "waiting"


class VisitClosed(Exception):
    """The visit was cancelled or is over: nothing more is taken."""

    def __init__(self, visit: Appointment) -> None:
        self.visit = visit
        super().__init__(visit.status)


class ConsentTextChanged(Exception):
    """The clinic has published a newer text than the one that was shown; show it and ask again."""


def consent_text(clinic: Clinic, language: str) -> ConsentText | None:
    """The newest agreement in ``language``, else in the clinic's own, else in any; None when there is none."""
    texts = ConsentText.objects.filter(clinic=clinic, published_at__lte=timezone.now()).order_by("-version")
    return texts.filter(language=language).first() or texts.filter(language=clinic.language).first() or texts.first()


def details_to_start_from(visit: Appointment) -> CheckIn:
    """The patient's answers for this visit, or (unsaved) those of their last one and of their file."""
    found = CheckIn.objects.filter(appointment=visit).first()
    if found is not None and found.details_at:
        return found
    before = (
        CheckIn.objects.filter(appointment__patient=visit.patient, details_at__isnull=False)
        .exclude(appointment=visit)
        .order_by("-details_at")
        .first()
    )
    return CheckIn(
        appointment=visit,
        callback_phone=(before and before.callback_phone) or visit.patient.phone,
        location=before.location if before else "",
        emergency_contact=before.emergency_contact if before else "",
    )


def save_details(
    *, principal: Principal, visit: Appointment, callback_phone: str, location: str, emergency_contact: str
) -> CheckIn:
    """Keep what safety needs in this visit. Raises VisitClosed, and Http404 for anyone but the patient."""
    with transaction.atomic():
        visit = _open_visit(principal, visit)
        check_in, _ = CheckIn.objects.update_or_create(
            appointment=visit,
            defaults={
                "callback_phone": callback_phone,
                "location": location,
                "emergency_contact": emergency_contact,
                "details_at": timezone.now(),
            },
        )
        record("checkin.details", Audit.UPDATE, principal=principal, entity=visit, patient=visit.patient)
        events.board_changed(visit.clinic_id)
        return check_in


def give_consent(*, principal: Principal, visit: Appointment, text: ConsentText) -> Consent:
    """Record that the patient agreed to ``text`` for this visit; once, a second time returns the first.

    FHIR R4 Consent. Raises ConsentTextChanged when ``text`` is not the newest of its language,
    VisitClosed, and Http404 for anyone but the patient.
    """
    with transaction.atomic():
        visit = _open_visit(principal, visit)
        given = Consent.objects.filter(appointment=visit).first()
        if given is not None:
            return given
        if text != consent_text(visit.clinic, text.language):
            raise ConsentTextChanged
        consent = Consent.objects.create(appointment=visit, patient=visit.patient, text=text)
        record(
            "consent.give",
            Audit.CREATE,
            principal=principal,
            entity=consent,
            patient=visit.patient,
            detail={"version": text.version, "language": text.language},
        )
        events.board_changed(visit.clinic_id)
        return consent


def record_devices(*, principal: Principal, visit: Appointment, camera: str, microphone: str) -> None:
    """Keep how the device check went, so that staff see it. A guest's is their own business.

    The same answer again changes nothing but the time. Raises VisitClosed, Http404.
    """
    if not principal.may(Action.VISIT_CHECK_IN):
        appointment_for(principal, visit.pk, Action.VISIT_WAIT)
        return
    with transaction.atomic():
        visit = _open_visit(principal, visit)
        before = CheckIn.objects.filter(appointment=visit).first()
        CheckIn.objects.update_or_create(
            appointment=visit,
            defaults={"camera": camera, "microphone": microphone, "devices_at": timezone.now()},
        )
        if before and before.devices_at and (before.camera, before.microphone) == (camera, microphone):
            return
        record(
            "checkin.devices",
            Audit.UPDATE,
            principal=principal,
            entity=visit,
            patient=visit.patient,
            detail={"camera": camera, "microphone": microphone},
        )
        events.board_changed(visit.clinic_id)


def line_opens_at(visit: Appointment) -> datetime:
    """When the patient can take a place in line; they can get ready at any time before.

    Who came without an appointment is in line from then on, unless the visit was moved since.
    """
    is_queued = visit.origin == Appointment.Origin.WALK_IN and visit.revision == 0
    return visit.created_at if is_queued else visit.start - LINE_OPENS_BEFORE


def next_step(visit: Appointment, principal: Principal) -> Step:
    """Where this person goes now. A guest has nothing to confirm, and tries each device they come with."""
    if not principal.may(Action.VISIT_CHECK_IN):
        return Step.DEVICES
    if not has_agreed(visit):
        return Step.DETAILS
    if not intake.is_settled(visit) and intake.may_answer(principal, visit):
        return Step.QUESTIONS
    return (
        Step.WAITING if CheckIn.objects.filter(appointment=visit, devices_at__isnull=False).exists() else Step.DEVICES
    )


def is_ready(visit: Appointment, principal: Principal) -> bool:
    """Whether they may wait: agreed, and asked what the clinic asks of them; who would rather talk was asked, too."""
    return has_agreed(visit) and (intake.is_settled(visit) or not intake.may_answer(principal, visit))


def has_agreed(visit: Appointment) -> bool:
    """Whether details are confirmed, and the agreement given where the clinic has one."""
    if not CheckIn.objects.filter(appointment=visit, details_at__isnull=False).exists():
        return False
    return (
        Consent.objects.filter(appointment=visit).exists() or consent_text(visit.clinic, visit.clinic.language) is None
    )


def _open_visit(principal: Principal, visit: Appointment) -> Appointment:
    visit = appointment_for(principal, visit.pk, Action.VISIT_CHECK_IN, lock=True)
    if not (visit.is_open or visit.status == Appointment.Status.NOSHOW):
        raise VisitClosed(visit)
    return visit
