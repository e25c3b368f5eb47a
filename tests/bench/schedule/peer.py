"""The same clinic in django-appointment: its own models, and its own function for the free slots of a day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import modify_settings

from accounts.models import Practitioner
from tests.bench.schedule.clinic import CLOSES, MINUTES, OPENS, ZONE, days
from visits.booking.models import Appointment


@contextmanager
def installed() -> Iterator[None]:
    """Its tables beside ours (it brings no migrations), and the cache that it recommends to be quick."""
    cache = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with modify_settings(INSTALLED_APPS={"append": "appointment"}), override_settings(CACHES=cache):
        call_command("migrate", run_syncdb=True, verbosity=0)
        try:
            yield
        finally:
            with connection.schema_editor() as editor:
                for model in reversed(list(apps.get_app_config("appointment").get_models())):
                    editor.delete_model(model)


def copy(people: list[Practitioner]) -> tuple[list[Any], Any]:
    """The same clinicians, hours and visits; return the clinicians and the service."""
    models = {model.__name__: model for model in apps.get_app_config("appointment").get_models()}
    length = timedelta(minutes=MINUTES)
    service = models["Service"].objects.create(name="Visit", duration=length, price=0)
    # Without a row it would look for one at each question.
    models["Config"].objects.create(slot_duration=MINUTES, appointment_buffer_time=0)
    staff = []
    for one in people:
        member = models["StaffMember"].objects.create(user=one.user, slot_duration=MINUTES, appointment_buffer_time=0)
        member.services_offered.add(service)
        for weekday in range(1, 6):  # Sunday is 0
            models["WorkingHours"].objects.create(
                staff_member=member, day_of_week=weekday, start_time=OPENS, end_time=CLOSES
            )
        staff.append(member)

    members = dict(zip((one.pk for one in people), staff, strict=True))
    starts = Appointment.objects.order_by("start").values_list("practitioner_id", "start")
    requests = [
        models["AppointmentRequest"](
            date=local.date(),
            start_time=local.time(),
            end_time=(local + length).time(),
            service=service,
            staff_member=members[pk],
            id_request=str(n),
        )
        for n, (pk, local) in enumerate((pk, start.astimezone(ZONE)) for pk, start in starts)
    ]
    models["AppointmentRequest"].objects.bulk_create(requests, batch_size=500)
    visits = [models["Appointment"](appointment_request=one, client=people[0].user) for one in requests]
    models["Appointment"].objects.bulk_create(visits, batch_size=500)
    return staff, service


def free(staff: list[Any], service: Any, first_day: date, last_day: date) -> list[datetime]:
    """When somebody is free, in order: a day of a clinician at a time, there being no other way."""
    from appointment.services import get_available_slots_for_staff

    found = [
        slot
        for member in staff
        for day in days(first_day, last_day)
        for slot in get_available_slots_for_staff(day, member, day.isoweekday() % 7, service)
    ]
    return sorted(slot.replace(tzinfo=ZONE) for slot in found)
