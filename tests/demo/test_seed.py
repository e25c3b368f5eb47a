"""The demo clinic looks lived in, whenever somebody starts it."""

import re
from collections import Counter
from datetime import datetime, time, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.management import call_command
from django.db.models import Count, Q
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Clinic, Patient, User
from tests import factories
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import ConsentText
from visits.demo import cast, services
from visits.demo.days import is_quiet
from visits.demo.management.commands import demo_info, seed_demo
from visits.intake.forms import AnswersForm
from visits.intake.models import QuestionnaireResponse
from visits.intake.services import answers_in, is_settled
from visits.reminders.models import Communication
from visits.reminders.services import send_due
from visits.room.models import Encounter, Presence
from visits.schedule.models import Availability, SchedulePolicy
from visits.waiting import late
from visits.waiting.models import Delay, Ticket
from visits.waitlist import services as waitlist
from visits.waitlist.models import Offer, Opening, WaitlistEntry

CHICAGO = ZoneInfo("America/Chicago")
Status = Appointment.Status


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO)


def today(clinic: Clinic, now: datetime) -> list[Appointment]:
    return [visit for visit in clinic.appointments.all() if visit.start.astimezone(CHICAGO).date() == now.date()]


@pytest.mark.django_db
@pytest.mark.parametrize("now", ["2026-11-24T11:00", "2026-11-24T14:07", "2026-03-08T13:15"])
def test_a_day_in_its_midst_has_visits_in_every_state(now):
    states = Counter(visit.status for visit in today(services.seed(at(now)), at(now)))

    assert states[Status.FULFILLED] >= 2
    assert states[Status.NOSHOW] >= 1
    assert states[Status.ARRIVED] >= 2
    assert states[Status.BOOKED] >= 2


@pytest.mark.django_db
@pytest.mark.parametrize("hour", [0, 3, 7, 8, 12, 17, 19, 22, 23])
def test_at_any_hour_somebody_waits_and_nothing_happens_at_an_odd_time_without_need(hour):
    moment = at("2026-11-24T00:07") + timedelta(hours=hour)
    clinic = services.seed(moment)

    assert Status.ARRIVED in {visit.status for visit in today(clinic, moment)}
    assert not is_quiet(clinic, moment)
    for visit in clinic.appointments.all():
        assert is_within_hours(visit)
        assert abs(visit.start - moment) <= timedelta(minutes=90) or 8 <= visit.start.astimezone(CHICAGO).hour < 18
        if visit.status in {Status.FULFILLED, Status.NOSHOW}:
            assert visit.end <= moment
        elif visit.status == Status.BOOKED:
            assert visit.start > moment


def is_within_hours(visit: Appointment) -> bool:
    start, end = visit.start.astimezone(CHICAGO), visit.end.astimezone(CHICAGO)
    hours = visit.practitioner.availability.filter(weekday=start.weekday(), start_time__lte=start.time())
    return hours.filter(Q(end_time__gte=end.time()) | Q(end_time=time())).exists()


@pytest.mark.django_db
def test_a_week_lies_around_it(clinic):
    moment = timezone.now()
    clinic = services.seed(moment)

    days = {visit.start.astimezone(CHICAGO).date() for visit in clinic.appointments.all()}
    assert len(days) >= 9
    assert 20 <= clinic.patients.count() <= 30
    assert {patient.language for patient in clinic.patients.all()} == {"en", "es"}
    assert ConsentText.objects.filter(clinic=clinic).count() == 2


@pytest.mark.django_db
def test_the_trail_is_in_the_order_of_time():
    services.seed()

    refused = AuditEvent.objects.filter(outcome=AuditEvent.Outcome.MINOR_FAILURE)
    times = [event.recorded for event in refused.order_by("pk")]
    assert times
    assert times == sorted(times)


@pytest.mark.django_db
def test_each_visit_has_the_traces_of_its_state():
    clinic = services.seed()

    for visit in clinic.appointments.all():
        finished = visit.status == Status.FULFILLED
        assert Encounter.objects.filter(appointment=visit).exists() is finished
        assert Presence.objects.filter(seat__encounter__appointment=visit).count() == (2 if finished else 0)
        assert Ticket.objects.filter(appointment=visit).exists() is (finished or visit.status == Status.ARRIVED)
        assert visit.communications.filter(kind="confirmation", channel="email").count() == 1
        reminded = visit.communications.filter(kind="reminder", channel="email")
        assert {row["count"] for row in reminded.values("revision").annotate(count=Count("pk"))} == {4}


@pytest.mark.django_db
@pytest.mark.parametrize("clock", ["10:00", "22:56"])
def test_seeding_mails_nobody(clock):
    """Not just after the last minute before somebody's quiet hours, in their time zone, either."""
    now = at(f"2026-11-29T{clock}")
    services.seed(now)

    assert send_due(now) == 0


@pytest.mark.django_db
def test_seeding_again_adds_nothing():
    def counts() -> list[int]:
        services.seed(at("2026-11-24T14:07"))
        return [model.objects.count() for model in (Clinic, User, Appointment, Communication, Encounter)]

    assert counts() == counts()


@pytest.mark.django_db
def test_it_starts_again_after_somebody_booked_in_the_name_of_a_patient_of_the_demo():
    clinic = services.seed(at("2026-11-24T14:07"))
    one = cast.PATIENTS[0]
    name = {"given_name": one.given_name, "family_name": one.family_name, "birth_date": one.birth_date}
    factories.make_patient(clinic, **name, email="visitor@example.org")

    services.seed(at("2026-11-24T15:07"))

    assert Patient.objects.filter(**name).count() == 2


@pytest.mark.django_db
def test_the_command_says_what_it_made():
    output = StringIO()

    call_command(seed_demo.Command(), stdout=output)

    assert "Riverside Family Clinic: 26 patients" in output.getvalue()


@pytest.mark.django_db
def test_a_later_day_begins_anew_and_the_old_one_is_closed():
    monday = at("2026-11-23T15:00")
    clinic = services.seed(monday)
    before = clinic.appointments.count()
    tuesday = monday + timedelta(days=1, hours=2)

    services.seed(tuesday)

    assert clinic.appointments.count() > before
    states = Counter(visit.status for visit in today(clinic, tuesday))
    assert states[Status.ARRIVED] >= 2
    old = clinic.appointments.filter(end__lt=tuesday - timedelta(hours=3))
    assert not old.filter(status__in=[Status.BOOKED, Status.ARRIVED]).exists()


@pytest.mark.django_db
def test_a_start_later_the_same_day_finds_a_waiting_room_too():
    noon = at("2026-11-24T12:00")
    clinic = services.seed(noon)
    evening = noon + timedelta(hours=7)

    services.seed(evening)

    waiting = clinic.appointments.filter(status=Status.ARRIVED)
    assert waiting.count() >= 2
    assert not waiting.filter(end__lt=evening - timedelta(hours=3)).exists()
    assert clinic.appointments.filter(status=Status.BOOKED, start__gt=evening).count() >= 2


@pytest.mark.django_db
def test_the_password_is_one_that_we_would_take_from_a_real_person():
    services.seed()

    for user in User.objects.filter(patient=None, related_person=None):
        assert user.check_password(cast.PASSWORD)
        validate_password(cast.PASSWORD, user)


@pytest.mark.django_db
def test_the_demo_clinician_can_be_booked_at_once():
    services.seed()

    visit = services.new_visit().visit

    assert visit.practitioner.user.email == cast.CLINICIAN
    assert timezone.now() <= visit.start <= timezone.now() + timedelta(minutes=60)
    assert {row.state for row in visit.communications.filter(kind="confirmation")} == {"planned"}


@pytest.mark.django_db
def test_many_visits_can_be_booked_at_once_for_trying():
    services.seed()

    visits = [services.new_visit().visit for _ in range(6)]

    assert len({visit.pk for visit in visits}) == len({visit.patient_id for visit in visits}) == 6


@pytest.mark.django_db
def test_the_ready_visit_stays_the_same_until_the_patient_comes():
    services.seed()

    first, second = services.ready_visit(), services.ready_visit()

    assert first.visit == second.visit
    assert first.link != second.link


@pytest.mark.django_db
def test_demo_info_says_where_to_look(client: Client):
    services.seed()
    told = StringIO()

    call_command(demo_info.Command(), stdout=told)

    for word in (cast.PASSWORD, cast.CLINICIAN, "/dev/people/", "/dev/mail/", "/admin/"):
        assert word in told.getvalue()
    link = re.search(r"http://localhost(/v/\S+)", told.getvalue())
    assert link
    assert client.get(link[1]).status_code == 200


@pytest.mark.django_db
def test_demo_info_says_so_when_nobody_is_free(client: Client):
    services.seed()
    Availability.objects.all().delete()
    told = StringIO()

    call_command(demo_info.Command(), stdout=told)

    assert "every clinician is booked" in told.getvalue()
    assert "/dev/people/" in told.getvalue()
    assert client.get("/dev/people/").status_code == 200


@pytest.mark.django_db
def test_patients_of_the_demo_book_by_themselves_unless_an_admin_says_otherwise():
    services.seed(at("2026-11-24T11:00"))
    assert Client().get("/book/riverside/").status_code == 200
    assert Client().get("/book/hilltop/").status_code == 404

    SchedulePolicy.objects.update(online_booking=False)
    services.seed(at("2026-11-24T11:00"))
    assert Client().get("/book/riverside/").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("now", ["2026-11-24T11:00", "2026-11-27T03:10", "2026-11-28T23:30", "2026-03-08T13:15"])
def test_what_happens_in_a_clinic_has_happened(now):
    moment = at(now)
    clinic = services.seed(moment)

    moved = AppointmentChange.objects.get(change="moved").appointment
    assert {row.kind for row in moved.communications.filter(state="sent", revision=1)} == {"reschedule"}
    assert not moved.communications.filter(revision=0, state="planned").exists()
    called_off = AppointmentChange.objects.get(change="cancelled").appointment
    assert called_off.status == Status.CANCELLED
    assert called_off.start > moment
    assert called_off.communications.filter(kind="cancellation", state="sent").exists()
    assert WaitlistEntry.objects.filter(ended_at=None).count() == 3
    assert len(late.delays(clinic, moment)) == 1
    assert Communication.objects.filter(kind="running-late", state="sent").exists()
    assert {"failed", "unknown", "suppressed", "planned"} < set(Communication.objects.values_list("state", flat=True))


@pytest.mark.django_db
def test_a_week_of_messages_lies_in_the_ledger():
    moment = at("2026-11-24T11:00")
    services.seed(moment)

    sent = Communication.objects.filter(state="sent", sent_at__gt=moment - timedelta(days=7))
    assert len({row.sent_at.astimezone(CHICAGO).date() for row in sent}) >= 7
    assert {row.channel for row in sent} == {"email", "sms"}
    assert {"confirmation", "reminder", "missed", "cancellation"} <= {row.kind for row in sent}


@pytest.mark.django_db
def test_the_time_that_was_cancelled_is_offered_to_the_waitlist():
    services.seed()

    waitlist.tick()

    # Who sleeps is asked in the morning. A long visit leaves room for two short ones.
    offered = Offer.objects.values_list("start", flat=True)
    assert len(set(offered)) == len(offered) <= 2
    assert Opening.objects.filter(closed_at=None).count() == 1


@pytest.mark.django_db
def test_who_is_on_time_again_is_not_late_after_the_next_start():
    noon = at("2026-11-24T12:00")
    services.seed(noon)
    Delay.objects.update(minutes=0)

    services.seed(noon + timedelta(hours=7))

    assert Delay.objects.get().minutes == 0


@pytest.mark.django_db
def test_patients_answer_what_is_asked_before_their_visit():
    clinic = services.seed(at("2026-11-24T11:00"))
    services.seed(at("2026-11-24T11:00"))

    assert clinic.questionnaires.count() == 1
    responses = QuestionnaireResponse.objects.filter(appointment__clinic=clinic)
    assert {response.status for response in responses} >= {"completed", "stopped", "amended"}
    for response in responses:
        items = list(response.questionnaire.items.all())
        form = AnswersForm(items, AnswersForm.initial_of(items, answers_in(response)))
        assert form.is_valid() or not response.is_answered, form.errors
    waiting = [visit for visit in clinic.appointments.filter(status=Status.ARRIVED) if not is_settled(visit)]
    assert waiting == []
