"""What the demo's pages and commands show: people with their codes of the moment, a visit that is about to start."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.members import opens_admin
from accounts.models import Clinic, Patient, Practitioner, TOTPDevice, User
from accounts.policy import Role
from accounts.principal import Principal
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.demo import cast, happenings, questions, seeding, summaries
from visits.demo.days import Days, close_old, is_quiet
from visits.demo.history import History
from visits.reminders.links import issue
from visits.reminders.models import MessageTemplate, ReminderPolicy
from visits.schedule.hours import day_of, zone_of
from visits.schedule.models import VisitType

# Soon, so that the line is open (30 minutes before), but with time to get ready.
READY_FROM, READY_TO = timedelta(minutes=2), timedelta(minutes=25)


class NoFreeSlot(Exception):
    """Every clinician of the demo is booked for the next hours."""


@dataclass(frozen=True)
class DemoUser:
    name: str
    email: str
    role: str
    clinic: str
    note: str
    code: str  # empty for who must enrol first
    seconds_left: int


@dataclass(frozen=True)
class ReadyVisit:
    visit: Appointment
    link: str

    @property
    def start(self) -> str:
        return f"{self.visit.start.astimezone(zone_of(self.visit.clinic)):%H:%M %Z}"

    @property
    def birth_date(self) -> str:
        return f"{self.visit.patient.birth_date:%m/%d/%Y}"


def seed(now: datetime | None = None) -> Clinic:
    """Make the demo clinics, their week and the weeks before.

    When it exists and hours have passed: close what was left open, fill the hours around now.
    """
    now = now or timezone.now()
    seeding.make_clinic(cast.HILLTOP, cast.HILLTOP_STAFF)
    clinic = seeding.make_clinic(cast.RIVERSIDE, cast.RIVERSIDE_STAFF)
    seeding.open_to_patients(clinic)
    seeding.make_time_off(clinic, now)
    questions.ask(clinic)
    patients = seeding.make_patients(clinic)
    if not ReminderPolicy.objects.filter(clinic=clinic).exists():
        ReminderPolicy.make(clinic, sms=True)
        for language, words in cast.OWN_WORDS.items():
            MessageTemplate.objects.create(clinic=clinic, kind="reminder", language=language, mail_words=words)
    is_new = not Appointment.objects.filter(clinic=clinic).exists()
    days = Days(clinic, patients, now)
    close_old(clinic, now)
    if is_new or is_quiet(clinic, now):
        days.fill_today()
        happenings.run_late(clinic, now)
    if is_new:
        days.fill_week()
        happenings.happen(clinic, now)
        summaries.write(clinic)
        History(days).fill()
    return clinic


def people() -> list[DemoUser]:
    """Everybody who can sign in to the demo, with the code that their phone would show now."""
    users = {user.email: user for user in User.objects.filter(memberships__clinic__slug__in=["riverside", "hilltop"])}
    known = [(one, cast.RIVERSIDE["name"]) for one in cast.RIVERSIDE_STAFF]
    known += [(one, cast.HILLTOP["name"]) for one in cast.HILLTOP_STAFF]
    return [_demo_user(users[one.email], one, clinic) for one, clinic in known if one.email in users]


def patient_with_account() -> Patient | None:
    """Who can sign in to all their visits, until somebody ends that."""
    given, family = cast.WITH_ACCOUNT
    accounts = User.objects.select_related("patient").filter(patient__clinic__slug="riverside", is_active=True)
    account = accounts.filter(patient__given_name=given, patient__family_name=family).first()
    return account.patient if account else None


def ready_visit() -> ReadyVisit:
    """A visit that is about to start and whose patient has not come yet, with a fresh link; booked if there is none.

    Raises NoFreeSlot.
    """
    now = timezone.now()
    visit = (
        Appointment.objects.filter(
            clinic=_clinician().clinic,
            created_by__email=cast.FRONT_DESK,
            status=Appointment.Status.BOOKED,
            start__range=(now + READY_FROM, now + READY_TO),
            check_in=None,
        )
        .exclude(patient__email="")
        .select_related("clinic", "patient", "practitioner")
        .first()
    )
    return _with_link(visit or _book_now())


def new_visit() -> ReadyVisit:
    """Book one more visit that starts within minutes. Raises NoFreeSlot."""
    return _with_link(_book_now())


def _book_now() -> Appointment:
    """Through the front desk and the booking service, so that the confirmation really goes out."""
    user = User.objects.get(email=cast.FRONT_DESK)
    clinic = _clinician().clinic
    principal = Principal(clinic=clinic, role=Role.FRONT_DESK, name=user.name, user=user)
    visit_type = VisitType.objects.filter(clinic=clinic).order_by("minutes")[0]
    for practitioner, start in _next_slots(clinic, visit_type):
        for patient in _free_patients(clinic):
            try:
                return booking.book(
                    principal=principal, practitioner=practitioner, patient=patient, visit_type=visit_type, start=start
                )
            except booking.PatientBusy:
                continue
            except booking.SlotTaken:
                break
    raise NoFreeSlot


def _next_slots(clinic: Clinic, visit_type: VisitType) -> list[tuple[Practitioner, datetime]]:
    """With the clinician to try the demo with, if it can be soon; else with whoever is free first."""
    now = timezone.now()
    today = day_of(clinic, now + READY_FROM)
    found = [
        (practitioner, slot.start)
        for practitioner in clinic.practitioners.select_related("clinic", "user")
        for slot in booking.free_slots(
            practitioner=practitioner,
            visit_type=visit_type,
            first_day=today,
            last_day=today + timedelta(days=1),
            now=now + READY_FROM,
        )[:3]
    ]
    return sorted(found, key=lambda one: (one[1] > now + READY_TO, one[0].user.email != cast.CLINICIAN, one[1]))


def _free_patients(clinic: Clinic) -> list[Patient]:
    """The demo's patients who have an address: first those without a visit in these hours who read English."""
    now = timezone.now()
    busy = set(
        Appointment.objects.filter(
            clinic=clinic,
            start__lt=now + timedelta(hours=3),
            end__gt=now - timedelta(hours=1),
            status__in=Appointment.ACTIVE,
        ).values_list("patient_id", flat=True)
    )
    known = {(one.given_name, one.family_name): place for place, one in enumerate(cast.PATIENTS)}
    names = {patient: (patient.given_name, patient.family_name) for patient in clinic.patients.exclude(email="")}
    ours = [patient for patient, name in names.items() if name in known]
    return sorted(ours, key=lambda one: (one.pk in busy, one.language != "en", known[names[one]]))


def _with_link(visit: Appointment) -> ReadyVisit:
    _link, url = issue(visit)
    return ReadyVisit(visit, url)


def _clinician() -> Practitioner:
    return Practitioner.objects.select_related("clinic").get(user__email=cast.CLINICIAN)


def _demo_user(user: User, person: cast.Staff, clinic: str) -> DemoUser:
    device = TOTPDevice.objects.filter(user=user, confirmed=True).order_by("pk").last()
    note = "" if device else _("enrols a phone at the first sign-in")
    if opens_admin(person.role):
        note = _("opens /admin/")
    return DemoUser(
        name=person.practitioner or person.name,
        email=person.email,
        role=person.role.label,
        clinic=clinic,
        note=note,
        code=_code(device) if device else "",
        seconds_left=int(30 - time.time() % 30) if device else 0,
    )


def _code(device: TOTPDevice) -> str:
    return f"{device.totp.token():06d}"
