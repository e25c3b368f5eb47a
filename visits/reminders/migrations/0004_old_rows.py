"""Reminders had a kind for each lead; messages did not know their patient."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery

LEADS = {"reminder-day": 1440, "reminder-soon": 10}


def fill(apps, schema_editor):
    Communication = apps.get_model("reminders", "Communication")
    Appointment = apps.get_model("booking", "Appointment")
    for kind, lead in LEADS.items():
        Communication.objects.filter(kind=kind).update(kind="reminder", lead=lead)
    visit = Appointment.objects.filter(pk=OuterRef("appointment_id"))
    Communication.objects.update(
        patient_id=Subquery(visit.values("patient_id")[:1]), start=Subquery(visit.values("start")[:1])
    )
    Communication.objects.filter(state="sent").update(dispatched_at=F("sent_at"))


def unfill(apps, schema_editor):
    Communication = apps.get_model("reminders", "Communication")
    for kind, lead in LEADS.items():
        Communication.objects.filter(kind="reminder", lead=lead).update(kind=kind, lead=0)


class Migration(migrations.Migration):

    dependencies = [
        ('reminders', '0003_ledger_of_all_kinds'),
    ]

    operations = [
        migrations.RunPython(fill, unfill),
    ]
