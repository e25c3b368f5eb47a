"""What clinicians have written after their visits: in the patient's language, one of them corrected."""

from datetime import timedelta

from accounts.models import Clinic
from visits.booking.models import Appointment
from visits.demo.days import told
from visits.reminders.models import Communication
from visits.summary.models import Composition

# Of three finished visits one has none yet.
WRITTEN = 3
WORDS = {
    "en": {
        "what_to_do": "- Take the new tablet, one each evening with food.\n- Measure your blood pressure mornings and "
        "evenings for two weeks, and write the numbers down.",
        "when_to_get_help": "Call us the same day if your ankles swell or you feel dizzy when you stand up.",
        "talked_about": "Your readings at home were higher than we want them. Less salt and a daily walk help, and the "
        "new tablet does the rest.",
    },
    "es": {
        "what_to_do": "- Tome la pastilla nueva, una cada noche con comida.\n- Mídase la presión por la mañana y por "
        "la noche durante dos semanas y anote los números.",
        "when_to_get_help": "Llámenos el mismo día si se le hinchan los tobillos o se marea al levantarse.",
        "talked_about": "Sus medidas en casa estaban más altas de lo que queremos. Menos sal y una caminata diaria "
        "ayudan, y la pastilla nueva hace el resto.",
    },
}
CORRECTION = {"en": "One tablet each evening, not two.", "es": "Una pastilla cada noche, no dos."}


def write(clinic: Clinic) -> None:
    """For a clinic whose days are new: the patients have been told, and nobody gets a mail."""
    ended = clinic.appointments.filter(status=Appointment.Status.FULFILLED).order_by("-start")
    visits = list(ended.select_related("clinic", "patient__clinic", "practitioner__user", "visit_type"))
    for number, visit in enumerate(visits):
        if number % WRITTEN:
            _write(visit)
    _write(visits[1], version=2, status="amended", correction=CORRECTION[visits[1].patient.language])


def _write(visit: Appointment, *, version: int = 1, status: str = "final", correction: str = "") -> None:
    at = visit.end + timedelta(minutes=8 * version)
    Composition.objects.create(
        appointment=visit,
        version=version,
        status=status,
        language=visit.patient.language,
        author=visit.practitioner.user,
        author_name=visit.practitioner.name,
        correction=correction,
        saves=1,
        saved_at=at,
        published_at=at,
        **WORDS[visit.patient.language],
    )
    rows = told(visit, Communication.Kind.SUMMARY, at, version=version)
    for row in rows:
        row.serial = version - 1
    Communication.objects.bulk_create(rows)
