"""The admin of visits and schedules: the own clinic's rows, found and filtered; visits only to look at."""

import pytest
from django.urls import reverse

from accounts.policy import Role
from tests import factories
from tests.lists import find
from visits.schedule.models import Availability, VisitType

pytestmark = pytest.mark.django_db

LISTS = ["booking_appointment", "schedule_visittype", "schedule_availability"]


@pytest.fixture
def admin(verified, clinic_admin):
    return verified(clinic_admin)


@pytest.fixture
def theirs(other_clinic):
    practitioner = factories.make_practitioner(other_clinic, name="Dr. Zelda")
    factories.make_hours(practitioner, 0)
    visit_type = factories.make_visit_type(other_clinic, name="Zelda")
    patient = factories.make_patient(other_clinic, family_name="Zelda")
    return factories.make_visit(practitioner, visit_type=visit_type, patient=patient)


@pytest.mark.parametrize("name", LISTS)
def test_lists_show_the_own_clinic_only(admin, visit, hours, theirs, name):
    page = admin.get(reverse(f"admin:{name}_changelist")).content.decode()

    assert "Okafor" in page or "Follow-up" in page
    assert "Zelda" not in page


def test_a_visit_is_found_and_shown_but_not_changed(admin, visit):
    found = find(admin, reverse("admin:booking_appointment_changelist"), "marín", status__exact="booked")
    page = admin.get(reverse("admin:booking_appointment_change", args=[visit.pk]))

    assert "Rosa" in found.content.decode()
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert admin.get(reverse("admin:booking_appointment_add")).status_code == 403
    assert admin.post(reverse("admin:booking_appointment_delete", args=[visit.pk])).status_code == 403


def test_another_clinics_rows_do_not_open(admin, theirs):
    for name, pk in (
        ("booking_appointment", theirs.pk),
        ("schedule_visittype", theirs.visit_type_id),
        ("schedule_availability", Availability.objects.get().pk),
    ):
        assert admin.get(reverse(f"admin:{name}_change", args=[pk])).status_code in {302, 404}


def test_a_visit_type_is_added_to_the_own_clinic_only(admin, clinic, other_clinic):
    path = reverse("admin:schedule_visittype_add")
    blank = admin.get(path).context["adminform"].form
    fields = {name: field.initial for name, field in blank.fields.items() if field.initial is not None}
    fields |= {"name": "New patient", "minutes": 40}

    admin.post(path, fields | {"clinic": other_clinic.pk})
    assert not VisitType.objects.exists()

    admin.post(path, fields | {"clinic": clinic.pk})
    assert VisitType.objects.get().clinic == clinic


def test_hours_that_end_before_they_start_are_refused(admin, practitioner):
    fields = {"practitioner": practitioner.pk, "weekday": 1, "start_time": "12:00", "end_time": "09:00"}

    page = admin.post(reverse("admin:schedule_availability_add"), fields).content.decode()

    assert "The end must be after the start." in page
    assert not Availability.objects.exists()


def test_the_list_of_visits_asks_no_more_for_more_visits(admin, practitioner, django_assert_max_num_queries):
    for _ in range(10):
        factories.make_visit(practitioner)

    with django_assert_max_num_queries(25):
        admin.get(reverse("admin:booking_appointment_changelist"))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.FRONT_DESK, Role.AUDITOR])
def test_other_roles_do_not_come_in(verified, clinic, role, name):
    user = factories.make_member(clinic, role, is_staff=True)

    assert verified(user).get(reverse(f"admin:{name}_changelist")).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_without_a_second_factor_nobody_comes_in(password_only, clinic_admin, name):
    assert password_only(clinic_admin).get(reverse(f"admin:{name}_changelist")).status_code == 302
