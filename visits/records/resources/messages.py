"""Communication: what the clinic sent, when and where to; the words themselves are not kept."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.records.fhir import PARTICIPATION_MODE, Resource, coding, concept, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, Layout, exported
from visits.reminders.models import Communication
from visits.schedule.moment import of_page

State = Communication.State
STATUS = {State.SENT: "completed", State.UNKNOWN: "unknown"}
MEDIUM = {Communication.Channel.EMAIL: "EMAILWRIT", Communication.Channel.SMS: "SMSWRIT"}


@exported(gettext_lazy("Messages that were sent to you"), Layout.TABLE)
def messages(patient: Patient) -> Iterator[Entry]:
    found = Communication.objects.filter(patient=patient, state__in=STATUS).order_by("dispatched_at", "pk")
    for message in found:
        yield Entry(_resource(patient, message), partial(_facts, patient, message))


def _resource(patient: Patient, message: Communication) -> Resource:
    return resource(
        "Communication",
        message.pk,
        status=STATUS[State(message.state)],
        category=[concept(text=message.label)],
        medium=[concept(coding(PARTICIPATION_MODE, MEDIUM[Communication.Channel(message.channel)]))],
        subject=reference("Patient", patient.pk),
        about=[reference("Appointment", message.appointment_id)] if message.appointment_id else None,
        sent=instant(message.sent_at),
        recipient=[reference("Patient", patient.pk)],
        sender=reference("Organization", patient.clinic_id),
        note=[{"text": message.address}] if message.address else None,
    )


def _facts(patient: Patient, message: Communication) -> Facts:
    at = of_page(message.sent_at or message.dispatched_at or message.due_at, patient.home_zone)
    return [
        (_("When"), f"{at.full_date}, {at.time}"),
        (_("What"), message.label),
        (_("By"), str(message.get_channel_display())),
        (_("To"), message.address),
        (_("Status"), str(message.get_state_display())),
    ]
