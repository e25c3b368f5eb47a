"""AuditEvent: who of the staff opened or changed the record, as the patient sees it on their own pages."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import AuditEvent, Patient
from visits.online.looks import events_about, look_of
from visits.records.fhir import DICOM, Resource, coding, concept, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, Layout, exported

BATCH = 500


@exported(gettext_lazy("Who opened your record"), Layout.TABLE)
def looks(patient: Patient) -> Iterator[Entry]:
    for event in events_about(patient).order_by("id").iterator(chunk_size=BATCH):
        yield Entry(_resource(patient, event), partial(_facts, patient, event))


def _resource(patient: Patient, event: AuditEvent) -> Resource:
    look = look_of(event, patient)
    who = {"display": look.name} if look.name else None
    agent = {"who": who, "role": [concept(text=look.role)] if look.role else None, "requestor": True}
    return resource(
        "AuditEvent",
        event.uid,
        type=coding(DICOM, "110110", "Patient Record"),
        subtype=[{"code": event.subtype, "display": str(look.what)}],
        action=event.action,
        recorded=instant(event.recorded),
        outcome=event.outcome,
        agent=[{name: value for name, value in agent.items() if value is not None}],
        source={"observer": reference("Organization", patient.clinic_id)},
        entity=[{"what": reference("Patient", patient.pk)}],
    )


def _facts(patient: Patient, event: AuditEvent) -> Facts:
    look = look_of(event, patient)
    return [
        (_("When"), f"{look.at.full_date}, {look.at.exact_time}"),
        (_("Who"), ", ".join(filter(None, [look.name, look.role]))),
        (_("What"), f"{look.what} ({_('refused')})" if look.was_refused else str(look.what)),
    ]
