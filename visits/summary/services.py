"""Writing the summary of a visit: drafts that overwrite nothing, publishing for good, telling the patient."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.http import Http404
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.limit import too_many
from accounts.links.services import revoke_all
from accounts.models import AccessLink, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import announce
from visits.summary.access import PUBLISHED, visit_to_write
from visits.summary.models import SEALED, Composition

Status = Composition.Status

# A draft is saved as one types: within this time the trail has one row of the same author's.
ONE_SITTING = timedelta(minutes=10)
LINKS_PER_SUMMARY, TEN_MINUTES = 1, 600


class Meanwhile(Exception):
    """What was seen is not the state any more: ``current`` is, a draft or a version that was published."""

    def __init__(self, current: Composition) -> None:
        super().__init__(current.pk)
        self.current = current


class Unchanged(Exception):
    """A correction that says word for word what the patient has."""


@dataclass(frozen=True)
class Text:
    """The words of one version; ``correction`` says what is new, in a version after the first."""

    what_to_do: str = ""
    when_to_get_help: str = ""
    talked_about: str = ""
    correction: str = ""

    @classmethod
    def of(cls, version: Composition) -> "Text":
        return cls(**{name: getattr(version, name) for name in SEALED})


def newest(visit: Appointment) -> Composition | None:
    """What the patient can read."""
    return PUBLISHED.filter(appointment=visit).order_by("-version").first()


def draft_of(visit: Appointment) -> Composition:
    """The draft of the next version; an unsaved one, with the words of the last version, where there is none."""
    draft = Composition.objects.filter(appointment=visit, status=Status.PRELIMINARY).first()
    if draft is not None:
        return draft
    last = newest(visit)
    draft = Composition(appointment=visit, version=last.version + 1 if last else 1, language=visit.patient.language)
    if last is not None:
        _put(draft, Text.of(last))
        draft.correction = ""
    return draft


def save(*, principal: Principal, visit: Appointment, text: Text, seen: str) -> Composition:
    """Keep the draft. ``seen``: the ``token`` of the state that the words were written from.

    Raises Meanwhile when that is not the state any more, unless it has these very words already; Http404 for who may
    not write.
    """
    with transaction.atomic():
        visit = visit_to_write(principal, visit.pk, lock=True)
        draft, is_done = _next(visit, text, seen)
        if not is_done:
            _write(principal, draft, text)
        return draft


def publish(*, principal: Principal, visit: Appointment, text: Text, seen: str) -> Composition:
    """Make these words the newest version, for good, and tell the patient. Twice the same is once.

    Raises Meanwhile and Http404 as ``save`` does, Unchanged, and IntegrityError for no words at all, or for a later
    version that does not say what is new.
    """
    with transaction.atomic():
        visit = visit_to_write(principal, visit.pk, lock=True)
        version, is_done = _next(visit, text, seen)
        if is_done and not version.is_draft:
            return version
        last = newest(visit)
        if last is not None and _is_same(text, Text.of(last)):
            raise Unchanged
        version.status = Status.AMENDED if last else Status.FINAL
        version.published_at = timezone.now()
        _write(principal, version, text)
        record(
            "summary.publish",
            Audit.CREATE,
            principal=principal,
            entity=version,
            patient=visit.patient,
            detail={"version": version.version},
        )
        announce(visit, Communication.Kind.SUMMARY, serial_of=str(version.pk), details={"version": version.version})
        return version


def name_of(visit: Appointment) -> uuid.UUID | None:
    """By which id the summary of the visit goes (see Composition), if the patient can read one."""
    return PUBLISHED.filter(appointment=visit, version=1).values_list("pk", flat=True).first()


def links_of(visit: Appointment) -> list[AccessLink]:
    """The links to the summary that were made, newest first."""
    name = name_of(visit)
    return list(AccessLink.objects.filter(resource_id=name, scope=AccessLink.Scope.SUMMARY)) if name else []


def end_links(*, principal: Principal, visit: Appointment) -> int:
    """Take all links to the summary back; the patient can ask for a new one. Returns how many there were.

    Raises Http404 for who may not change visits.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_CHANGE, lock=True)
        name = name_of(visit)
        return revoke_all(resource_id=name, principal=principal) if name else 0


def send_link(visit: Appointment) -> None:
    """The patient asks for a link to the summary: to the address on file, once in ten minutes.

    Raises Http404 where there is no summary.
    """
    last = newest(visit)
    if last is None:
        raise Http404
    if not too_many(f"summary-link:{visit.pk}", times=LINKS_PER_SUMMARY, seconds=TEN_MINUTES):
        asked = f"patient asked {timezone.now():%Y%m%d%H%M%S}"
        details = {"version": last.version, "asked": True}
        announce(visit, Communication.Kind.SUMMARY, serial_of=asked, details=details)


def _next(visit: Appointment, text: Text, seen: str) -> tuple[Composition, bool]:
    """What is to be written, or what has these words already and is done. Raises Meanwhile."""
    draft = draft_of(visit)
    if seen == draft.token:
        return draft, False
    current = newest(visit) if draft._state.adding else draft
    if current is None:  # nobody ever saved anything: the form is not one of ours
        raise Http404
    if text != Text.of(current):
        raise Meanwhile(current)
    return current, True


def _write(principal: Principal, version: Composition, text: Text) -> None:
    now, user = timezone.now(), principal.user
    if user is None:
        raise Http404
    is_new, is_another = version._state.adding, version.author_id != user.pk
    if is_new or is_another or now - version.saved_at > ONE_SITTING:
        record(
            "summary.save",
            Audit.CREATE if is_new else Audit.UPDATE,
            principal=principal,
            entity=version,
            patient=version.appointment.patient,
            detail={"version": version.version},
        )
    _put(version, text)
    known = Practitioner.objects.filter(clinic=principal.clinic, user=user).first()
    version.author, version.author_name = user, known.name if known else principal.name
    version.language = version.appointment.patient.language
    version.saves, version.saved_at = version.saves + 1, now
    version.save()


def _put(version: Composition, text: Text) -> None:
    for name in SEALED:
        setattr(version, name, getattr(text, name))


def _is_same(one: Text, other: Text) -> bool:
    """Whether they say the same, whatever is said of what is new."""
    return one == Text(other.what_to_do, other.when_to_get_help, other.talked_about, one.correction)
