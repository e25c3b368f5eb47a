"""What a clinic admin keeps of a schedule: the own clinic's only, with clear words for what makes no sense."""

from datetime import date, time
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.policy import Role
from tests import factories
from visits.schedule.models import Availability, OpeningHours, ScheduleException, SchedulePolicy, VisitType

pytestmark = pytest.mark.django_db

NAMES = ["visittype", "availability", "openinghours", "scheduleexception", "schedulepolicy"]
MONDAY = date(2026, 11, 23)
WRONG_ORDER = "The end must be after the start. Over midnight it takes two entries: one until 00:00, one from 00:00."


@pytest.fixture
def admin(verified, clinic_admin):
    return verified(clinic_admin)


@pytest.fixture
def theirs(other_clinic):
    return factories.make_practitioner(other_clinic, name="Dr. Zelda")


def page(name: str, what: str = "add", *args) -> str:
    return reverse(f"admin:schedule_{name}_{what}", args=args)


def blank(admin, name: str) -> dict:
    form = admin.get(page(name)).context["adminform"].form
    return {key: field.initial for key, field in form.fields.items() if field.initial is not None}


def errors(answer) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


@pytest.mark.parametrize("name", NAMES)
def test_lists_and_forms_open_for_the_clinics_admin_alone(verified, clinic, clinic_admin, password_only, client, name):
    for path in (page(name, "changelist"), page(name)):
        assert verified(clinic_admin).get(path).status_code == 200
        assert password_only(clinic_admin).get(path).status_code == 302
        assert client.get(path).status_code == 302
        for role in (Role.CLINICIAN, Role.FRONT_DESK, Role.AUDITOR):
            assert verified(factories.make_member(clinic, role, is_staff=True)).get(path).status_code == 403


def test_another_clinics_rows_are_neither_listed_nor_opened(admin, other_clinic, theirs):
    rows = {
        "schedulepolicy": SchedulePolicy.objects.create(clinic=other_clinic),
        "openinghours": OpeningHours.objects.create(
            clinic=other_clinic, weekday=0, start_time=time(8), end_time=time(17)
        ),
        "scheduleexception": ScheduleException.objects.create(
            clinic=other_clinic, practitioner=theirs, kind="off", first_day=MONDAY, last_day=MONDAY
        ),
    }

    for name, row in rows.items():
        assert admin.get(page(name, "changelist")).context["cl"].result_count == 0
        assert admin.get(page(name, "change", row.pk)).status_code in {302, 404}


def test_an_unknown_holiday_region_is_refused_with_an_example(admin, clinic):
    data = blank(admin, "schedulepolicy") | {"clinic": clinic.pk, "holiday_region": "Texas"}

    answer = admin.post(page("schedulepolicy"), data)

    assert errors(answer) == {
        "holiday_region": ["We know no public holidays of “Texas”. Write it like US, US-TX or DE-BY."]
    }
    assert answer.context["adminform"].form["holiday_region"].value() == "Texas"
    assert admin.post(page("schedulepolicy"), data | {"holiday_region": "US-TX"}).status_code == 302
    assert SchedulePolicy.of(clinic).holiday_region == "US-TX"
    assert AuditEvent.objects.get(subtype="admin.add").detail["holiday_region"] == "US-TX"


def test_a_visit_type_is_offered_by_the_own_clinics_people_only(admin, clinic, practitioner, theirs):
    data = blank(admin, "visittype") | {"clinic": clinic.pk, "name": "Talk", "buffer_after": 10}

    assert "practitioners" in errors(admin.post(page("visittype"), data | {"practitioners": [theirs.pk]}))

    admin.post(page("visittype"), data | {"practitioners": [practitioner.pk]})
    assert list(VisitType.objects.get().practitioners.all()) == [practitioner]
    assert VisitType.objects.get().buffer_after == 10


def test_not_even_a_superuser_mixes_clinics(verified, clinic, practitioner, theirs):
    root = verified(factories.make_user(is_staff=True, is_superuser=True))
    data = blank(root, "visittype") | {"clinic": clinic.pk, "name": "Talk", "practitioners": [theirs.pk]}
    assert errors(root.post(page("visittype"), data)) == {
        "practitioners": ["This clinician belongs to another clinic."]
    }

    data = {"practitioner": practitioner.pk, "weekday": 0, "start_time": "09:00", "end_time": "10:00"}
    data["visit_types"] = [factories.make_visit_type(theirs.clinic).pk]
    assert errors(root.post(page("availability"), data)) == {
        "visit_types": ["This visit type belongs to another clinic."]
    }


def test_hours_are_for_the_own_clinics_visit_types_only(admin, clinic, practitioner, other_clinic):
    data = {"practitioner": practitioner.pk, "weekday": 0, "start_time": "09:00", "end_time": "10:00"}
    own, their = factories.make_visit_type(clinic), factories.make_visit_type(other_clinic)

    assert "visit_types" in errors(admin.post(page("availability"), data | {"visit_types": [their.pk]}))

    admin.post(page("availability"), data | {"visit_types": [own.pk]})
    assert list(Availability.objects.get().visit_types.all()) == [own]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"last_day": "2026-11-22"}, "last_day", "The last day must not be before the first."),
        ({"last_day": "9999-12-31"}, "last_day", "Choose a day from 2000 to 2199."),
        ({"kind": "extra", "practitioner": ""}, "practitioner", "Choose whose extra hours they are."),
        ({"end_time": ""}, "end_time", "Give both times, or none for whole days."),
        ({"start_time": ""}, "start_time", "Give both times, or none for whole days."),
        ({"end_time": "09:00"}, "end_time", WRONG_ORDER),
        ({"end_time": "06:00"}, "end_time", WRONG_ORDER),
        (
            {"kind": "extra", "start_time": "", "end_time": ""},
            "start_time",
            "Say from when to when there are extra hours.",
        ),
    ],
)
def test_an_exception_that_makes_no_sense_is_refused_in_words(admin, clinic, practitioner, changes, field, words):
    data = {
        "clinic": clinic.pk,
        "practitioner": practitioner.pk,
        "kind": "off",
        "first_day": "2026-11-23",
        "last_day": "2026-11-24",
        "start_time": "09:00",
        "end_time": "10:00",
    }

    assert errors(admin.post(page("scheduleexception"), data | changes)) == {field: [words]}
    assert admin.post(page("scheduleexception"), data).status_code == 302
    assert ScheduleException.objects.count() == 1


def test_another_clinics_clinician_cannot_be_given_time_off(admin, clinic, theirs):
    data = {"clinic": clinic.pk, "practitioner": theirs.pk, "kind": "off", "first_day": MONDAY, "last_day": MONDAY}

    assert "practitioner" in errors(admin.post(page("scheduleexception"), data))


def test_hours_that_reach_midnight_are_entered_as_their_end_and_shown_as_people_say_it(admin, clinic, practitioner):
    times = {"start_time": "20:00", "end_time": "00:00"}
    days = {"first_day": "2026-11-23", "last_day": "2026-11-23"}

    answers = [
        admin.post(page("availability"), {"practitioner": practitioner.pk, "weekday": 0, **times}),
        admin.post(page("openinghours"), {"clinic": clinic.pk, "weekday": 0, **times}),
        admin.post(
            page("scheduleexception"),
            {"clinic": clinic.pk, "practitioner": practitioner.pk, "kind": "extra", **days, **times},
        ),
    ]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert [str(row).split()[-1] for row in (Availability.objects.get(), OpeningHours.objects.get())] == [
        "20:00–24:00",
        "20:00–24:00",
    ]
    for language, word in (("en", "midnight"), ("es", "medianoche")):
        User.objects.update(language=language)
        for name in ("availability", "openinghours", "scheduleexception"):
            assert f">{word}</td>" in admin.get(page(name, "changelist")).content.decode()
            assert word in admin.get(page(name)).content.decode()


@pytest.mark.parametrize(("start", "end"), [("09:00", "09:00"), ("22:00", "06:00"), ("22:00", "00:01")])
def test_the_database_refuses_hours_that_end_before_they_begin_but_takes_midnight(clinic, practitioner, start, end):
    span = {"start_time": time.fromisoformat(start), "end_time": time.fromisoformat(end)}
    day = {"first_day": MONDAY, "last_day": MONDAY}
    makers = [
        partial(Availability.objects.create, practitioner=practitioner, weekday=0),
        partial(OpeningHours.objects.create, clinic=clinic, weekday=0),
        partial(ScheduleException.objects.create, clinic=clinic, practitioner=practitioner, kind="extra", **day),
    ]

    for make in makers:
        with pytest.raises(IntegrityError), transaction.atomic():
            make(**span)
        make(**span | {"end_time": time()})


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "off", "start_time": time(9)},
        {"kind": "off", "end_time": time(9)},
        {"kind": "extra"},
        {"kind": "extra", "start_time": time(9)},
        {"kind": "off", "start_time": time(9), "end_time": time(9)},
        {"kind": "off", "last_day": date(2026, 11, 22)},
        {"kind": "extra", "start_time": time(9), "end_time": time(10), "practitioner": None},
        {"kind": "else"},
    ],
)
def test_the_database_refuses_exceptions_that_make_no_sense(clinic, practitioner, fields):
    defaults = {"clinic": clinic, "practitioner": practitioner, "first_day": MONDAY, "last_day": MONDAY}

    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduleException.objects.create(**defaults | fields)
