"""Which messages there will be, and why some there will not."""

from contextlib import suppress
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from freezegun import freeze_time

from accounts.models import Clinic, Patient, Practitioner
from tests import factories
from tests.reminders.conftest import announce, cancel, move, set_policy
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.intake.models import QuestionnaireResponse
from visits.reminders import services, tasks
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.quiet import remind_at
from visits.reminders.services import preferences, reports
from visits.reminders.templatetags.reminders import would_receive

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason


DAYS, DAY, HOUR, SOON = 4320, 1440, 60, 10


def states(visit: Appointment) -> dict[str | int, tuple[str, str]]:
    """Of each message, by its kind, or a reminder's lead."""
    return {row.lead or row.kind: (row.state, row.reason) for row in visit.communications.all()}


@pytest.fixture
def far_visit(policy: ReminderPolicy, practitioner: Practitioner, patient: Patient) -> Appointment:
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(days=5)
    return factories.make_visit(practitioner, patient=patient, start=start)


def test_a_booked_visit_has_its_messages_planned(far_visit):
    announce(far_visit, "booked")

    assert states(far_visit) == {
        Kind.CONFIRMATION: (State.PLANNED, ""),
        DAYS: (State.PLANNED, ""),
        DAY: (State.PLANNED, ""),
        HOUR: (State.PLANNED, ""),
        SOON: (State.PLANNED, ""),
        Kind.FORM_MISSING: (State.PLANNED, ""),
    }
    due = {row.lead or row.kind: row.due_at for row in far_visit.communications.all()}
    assert due[Kind.CONFIRMATION] <= timezone.now()
    assert due[HOUR] == far_visit.start - timedelta(hours=1)
    assert due[SOON] == far_visit.start - timedelta(minutes=10)


def test_planning_twice_plans_once(far_visit):
    announce(far_visit, "booked")
    announce(far_visit, "booked")

    assert far_visit.communications.count() == 6


def test_reminders_whose_time_has_passed_are_written_down_as_not_sent(policy, practitioner):
    visit = factories.make_visit(practitioner, start=timezone.now() + timedelta(minutes=5))

    announce(visit, "booked")

    assert states(visit) == {
        Kind.CONFIRMATION: (State.PLANNED, ""),
        DAYS: (State.SUPPRESSED, Reason.TOO_LATE),
        DAY: (State.SUPPRESSED, Reason.TOO_LATE),
        HOUR: (State.SUPPRESSED, Reason.TOO_LATE),
        SOON: (State.SUPPRESSED, Reason.TOO_LATE),
        Kind.FORM_MISSING: (State.SUPPRESSED, Reason.TOO_LATE),
    }


def test_a_patient_without_address_gets_nothing_and_the_ledger_says_why(practitioner, clinic):
    visit = factories.make_visit(practitioner, patient=factories.make_patient(clinic, email=""))

    announce(visit, "booked")

    assert set(states(visit).values()) == {(State.SUPPRESSED, Reason.NO_ADDRESS)}


def test_who_gets_an_address_later_is_reminded_of_what_is_to_come(policy, practitioner, clinic, mail_server):
    patient = factories.make_patient(clinic, email="")
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    visit = factories.make_visit(practitioner, patient=patient, start=start)
    announce(visit, "booked")
    patient.save()
    assert {reason for _, reason in states(visit).values()} == {Reason.NO_ADDRESS}

    patient.email = "rosa@example.org"
    patient.save()

    planned = (State.PLANNED, "")
    assert [states(visit)[one] for one in (DAY, HOUR, SOON)] == [planned] * 3
    assert states(visit)[DAYS] == states(visit)[Kind.CONFIRMATION] == (State.SUPPRESSED, Reason.NO_ADDRESS)
    assert services.send_due(remind_at(start, timedelta(days=1), patient.home_zone)) == 1
    assert mail_server.arrived[0]["To"] == "rosa@example.org"


def test_reminders_go_by_the_clock_that_the_patient_goes_by_now(clinic, practitioner):
    """Quiet from nine to eight there: what would come in the morning in Chicago comes in the night in Honolulu."""
    ReminderPolicy.make(clinic)
    patient = factories.make_patient(clinic)
    start = (timezone.now() + timedelta(days=5)).replace(hour=16, minute=0, second=0, microsecond=0)  # morning
    visit = factories.make_visit(practitioner, patient=patient, start=start)
    announce(visit, "booked")
    rows = visit.communications.filter(Q(kind="reminder", lead=1440) | Q(kind="form-missing"))
    due = {row.kind: row.due_at for row in rows}
    assert due["reminder"] == remind_at(start, timedelta(days=1), patient.home_zone)

    patient.time_zone = "Pacific/Honolulu"
    patient.save()

    there = ZoneInfo("Pacific/Honolulu")
    assert {(row.state, row.due_at.astimezone(there).time()) for row in rows.all()} == {(State.PLANNED, time(20, 50))}
    patient.time_zone = ""
    patient.save()
    assert {row.kind: row.due_at for row in rows.all()} == due


def test_what_is_planned_keeps_the_quiet_hours_of_now(
    clinic, practitioner, monkeypatch, django_capture_on_commit_callbacks
):
    """Whoever has them begin earlier loses no reminder by it, also with the first rules of the clinic's own."""
    patient = factories.make_patient(clinic)
    evening = datetime.combine(timezone.localdate() + timedelta(days=5), time(19), tzinfo=ZoneInfo(patient.home_zone))
    visit = factories.make_visit(practitioner, patient=patient, start=evening)
    announce(visit, "booked")
    rows = visit.communications.filter(Q(kind="reminder", lead__in=[1440, 60]) | Q(kind="form-missing"))

    def clocks() -> set[tuple[str, str]]:
        there = ZoneInfo(patient.home_zone)
        return {(f"{row.kind} {row.lead}", f"{row.due_at.astimezone(there):%H:%M}") for row in rows.all()}

    assert clocks() == {("reminder 1440", "19:00"), ("reminder 60", "18:00"), ("form-missing 0", "19:00")}

    monkeypatch.setattr(tasks.plan_for_quiet_hours, "delay", tasks.plan_for_quiet_hours)
    with django_capture_on_commit_callbacks(execute=True):
        policy = ReminderPolicy.make(clinic, quiet_from=time(18))
    assert clocks() == {("reminder 1440", "17:50"), ("reminder 60", "17:50"), ("form-missing 0", "17:50")}

    policy.quiet_from = time(18, 30)
    with django_capture_on_commit_callbacks(execute=True):
        policy.save()
    assert clocks() == {("reminder 1440", "18:20"), ("reminder 60", "18:00"), ("form-missing 0", "18:20")}

    with django_capture_on_commit_callbacks(execute=True):
        policy.delete()
    assert clocks() == {("reminder 1440", "19:00"), ("reminder 60", "18:00"), ("form-missing 0", "19:00")}


def test_a_phone_number_brings_texts_back_and_no_mails(clinic, practitioner):
    set_policy(clinic, sms=True)
    patient = factories.make_patient(clinic, email="", phone="")
    visit = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(days=2))
    gone = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(days=3))
    announce(visit, "booked")
    announce(gone, "booked")
    cancel(gone)
    patient.phone = "(555) 010-0177"
    patient.save()

    rows = Communication.objects.filter(state=State.PLANNED)
    assert {(row.appointment, row.channel, row.lead) for row in rows} == {(visit, "sms", DAY), (visit, "sms", SOON)}


def test_who_acts_for_the_patient_gets_what_is_theirs_by_their_new_address(policy, practitioner, patient):
    proxy = factories.make_proxy(patient, email="", phone="(555) 010-0199", messages="both")
    visit = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(days=2))
    announce(visit, "booked")
    proxy.email = "ana@example.org"
    proxy.save()

    rows = visit.communications.filter(related_person=proxy, state=State.PLANNED, kind=Kind.REMINDER)
    assert {row.lead for row in rows} == {DAY, HOUR, SOON}


def test_a_cancelled_visit_has_nothing_planned_any_more(far_visit):
    announce(far_visit, "booked")

    cancel(far_visit)

    assert set(states(far_visit).values()) == {(State.SUPPRESSED, Reason.CANCELLED)}


def test_who_was_told_of_the_visit_is_told_of_its_end(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()

    cancel(far_visit)

    assert states(far_visit) == {
        Kind.CONFIRMATION: (State.SENT, ""),
        DAYS: (State.SUPPRESSED, Reason.CANCELLED),
        DAY: (State.SUPPRESSED, Reason.CANCELLED),
        HOUR: (State.SUPPRESSED, Reason.CANCELLED),
        SOON: (State.SUPPRESSED, Reason.CANCELLED),
        Kind.FORM_MISSING: (State.SUPPRESSED, Reason.CANCELLED),
        Kind.CANCELLATION: (State.PLANNED, ""),
    }


def test_a_visit_that_is_over_reminds_nobody(far_visit):
    announce(far_visit, "booked")

    announce(far_visit, "fulfilled")

    assert set(states(far_visit).values()) == {(State.SUPPRESSED, Reason.OVER)}


def test_who_missed_a_visit_is_told_unless_they_come_after_all(far_visit, mail_server):
    announce(far_visit, "booked")
    far_visit.status = Appointment.Status.NOSHOW
    far_visit.save()
    announce(far_visit, "noshow")
    later = timezone.now() + timedelta(minutes=16)

    found = states(far_visit)
    assert found.pop(Kind.MISSED) == (State.PLANNED, "")
    assert set(found.values()) == {(State.SUPPRESSED, Reason.OVER)}
    far_visit.status = Appointment.Status.ARRIVED
    far_visit.save()
    assert services.send_due(later) == 0
    assert states(far_visit)[Kind.MISSED] == (State.SUPPRESSED, Reason.SUPERSEDED)


def test_who_misses_a_visit_a_second_time_is_told_of_that(far_visit):
    announce(far_visit, "booked")
    for status in (Appointment.Status.NOSHOW, Appointment.Status.ARRIVED, Appointment.Status.NOSHOW):
        far_visit.status = status
        far_visit.save()
        AppointmentChange.objects.create(
            appointment=far_visit,
            change=status,
            revision=far_visit.revision,
            start=far_visit.start,
            practitioner=far_visit.practitioner,
        )
        announce(far_visit, status)

    missed = far_visit.communications.filter(kind=Kind.MISSED, channel="email").order_by("serial")
    assert [(row.state, row.reason) for row in missed] == [(State.SUPPRESSED, Reason.OVER), (State.PLANNED, "")]


def test_who_never_got_the_confirmation_hears_of_a_visit_that_came_back_to_its_time(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()
    confirmation = far_visit.communications.get(kind=Kind.CONFIRMATION)
    reports.failed(confirmation, is_address=True)
    old = far_visit.start
    move(far_visit, old + timedelta(hours=1))
    move(far_visit, old)

    latest = far_visit.communications.get(kind=Kind.CONFIRMATION, revision=far_visit.revision)
    assert (latest.state, latest.reason) == (State.PLANNED, "")


# --- moves


def test_a_move_tells_the_old_and_the_new_time_and_plans_anew(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()
    old = far_visit.start

    move(far_visit, old + timedelta(days=1))

    rows = {(row.revision, row.lead or row.kind): row for row in far_visit.communications.all()}
    assert {row.reason for (revision, _), row in rows.items() if revision == 0 and row.state != State.SENT} == {
        Reason.SUPERSEDED
    }
    assert rows[0, SOON].due_at == old - timedelta(minutes=10)
    assert rows[1, SOON].due_at == far_visit.start - timedelta(minutes=10)
    assert datetime.fromisoformat(rows[1, Kind.RESCHEDULE].details["old_start"]) == old
    assert (1, Kind.CONFIRMATION) not in rows


def test_who_never_heard_of_the_old_time_has_one_confirmation_of_the_new(far_visit, mail_server):
    announce(far_visit, "booked")

    move(far_visit, far_visit.start + timedelta(days=1))

    assert services.send_due() == 1
    assert "is booked for" in mail_server.arrived[0]["Subject"]


@pytest.mark.parametrize("origin", ["online", "walk-in"])
def test_who_booked_by_themselves_knows_the_visit_before_any_message(far_visit, mail_server, origin):
    """The page has said so; the confirmation waits for the night to end, or for the mail server."""
    far_visit.origin = origin
    announce(far_visit, "booked")
    cancel(far_visit)

    assert services.send_due() == 1
    assert "is cancelled" in mail_server.arrived[0]["Subject"]


def test_who_booked_by_themselves_is_told_from_when_the_visit_was_moved(far_visit, mail_server):
    far_visit.origin = Appointment.Origin.ONLINE
    announce(far_visit, "booked")
    seen = far_visit.start
    move(far_visit, seen + timedelta(days=1))
    move(far_visit, seen + timedelta(days=2))

    assert services.send_due() == 1
    message = far_visit.communications.get(kind=Kind.RESCHEDULE, revision=2)
    assert datetime.fromisoformat(message.details["old_start"]) == seen


def test_who_booked_by_themselves_has_a_confirmation_of_a_visit_that_came_back_to_its_time(far_visit, mail_server):
    far_visit.origin = Appointment.Origin.ONLINE
    announce(far_visit, "booked")
    seen = far_visit.start
    move(far_visit, seen + timedelta(days=1))
    move(far_visit, seen)

    assert services.send_due() == 1
    assert "is booked for" in mail_server.arrived[0]["Subject"]


def test_two_moves_before_the_first_is_told_name_the_time_that_the_patient_knows(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()
    known = far_visit.start
    move(far_visit, known + timedelta(days=1))
    move(far_visit, known + timedelta(days=2))

    assert services.send_due() == 1
    message = far_visit.communications.get(kind=Kind.RESCHEDULE, revision=2)
    assert datetime.fromisoformat(message.details["old_start"]) == known


@pytest.mark.django_db(transaction=True)
def test_a_move_that_is_rolled_back_leaves_the_ledger_as_it_was(far_visit):
    announce(far_visit, "booked")
    before = set(far_visit.communications.values_list("pk", "state", "reason"))

    class Stop(Exception):
        pass

    with suppress(Stop), transaction.atomic():
        move(far_visit, far_visit.start + timedelta(days=1))
        raise Stop

    assert set(far_visit.communications.values_list("pk", "state", "reason")) == before


# --- quiet hours, channels, wishes


def at_time(clinic: Clinic, hour: int, minute: int = 0) -> datetime:
    """A time of day in ten days, on the clinic's clock."""
    local = timezone.now().astimezone(ZoneInfo(clinic.time_zone)) + timedelta(days=10)
    return local.replace(hour=hour, minute=minute, second=0, microsecond=0)


def due_of(visit: Appointment, lead: int) -> tuple[datetime, str]:
    row = visit.communications.get(lead=lead, channel="email")
    return row.due_at, row.reason


def test_a_reminder_in_quiet_hours_goes_the_evening_before(practitioner, clinic):
    visit = factories.make_visit(practitioner, start=at_time(clinic, 8, 30))

    announce(visit, "booked")

    due_at, reason = due_of(visit, HOUR)
    assert (due_at, reason) == (at_time(clinic, 20, 50) - timedelta(days=1), "")
    assert due_of(visit, SOON) == (at_time(clinic, 8, 20), "")


def test_quiet_hours_are_the_patients_own(practitioner, clinic):
    patient = factories.make_patient(clinic, time_zone="America/Los_Angeles")
    visit = factories.make_visit(practitioner, patient=patient, start=at_time(clinic, 10))

    announce(visit, "booked")

    # An hour before is nine in Chicago and seven in Los Angeles: it goes at ten to nine there, the evening before.
    assert due_of(visit, HOUR)[0] == at_time(clinic, 22, 50) - timedelta(days=1)


def test_what_would_have_gone_before_the_quiet_hours_had_passed_is_not_sent(practitioner, clinic):
    start = at_time(clinic, 8, 30) + timedelta(days=1)
    with freeze_time(at_time(clinic, 23)):
        visit = factories.make_visit(practitioner, start=start)
        announce(visit, "booked")

    assert due_of(visit, HOUR)[1] == Reason.QUIET


def test_the_last_reminder_of_a_visit_in_quiet_hours_is_not_held_back(practitioner, clinic, mail_server):
    start = at_time(clinic, 22)
    visit = factories.make_visit(practitioner, start=start)
    announce(visit, "booked")
    services.send_due(start - timedelta(hours=2))

    assert services.send_due(start - timedelta(minutes=10)) == 1
    assert "starts in 10 minutes" in mail_server.arrived[-1]["Subject"]


def test_text_messages_are_planned_where_the_clinic_sends_them(clinic, practitioner, patient):
    set_policy(clinic, sms=True)
    visit = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(days=5))

    announce(visit, "booked")

    texted = visit.communications.filter(channel="sms")
    assert {row.lead or row.kind for row in texted} == {Kind.CONFIRMATION, DAY, SOON}
    assert {row.state for row in texted} == {State.PLANNED}


def test_a_patient_without_a_phone_gets_mails_only_and_the_ledger_says_so(clinic, practitioner):
    set_policy(clinic, sms=True)
    patient = factories.make_patient(clinic, phone="ask at the desk")
    visit = factories.make_visit(practitioner, patient=patient, start=timezone.now() + timedelta(days=5))

    announce(visit, "booked")

    assert {row.reason for row in visit.communications.filter(channel="sms")} == {Reason.NO_ADDRESS}


def test_a_clinic_chooses_its_own_leads(clinic, practitioner, policy):
    policy.lead_times.all().delete()
    policy.lead_times.create(minutes=120)
    visit = factories.make_visit(practitioner, start=timezone.now() + timedelta(days=5))

    announce(visit, "booked")

    assert [row.lead for row in visit.communications.filter(kind="reminder")] == [120]


def test_an_opt_out_holds_for_reminders_and_not_for_what_becomes_of_the_visit(far_visit, mail_server):
    preferences.opt_out(far_visit.patient, "email")
    announce(far_visit, "booked")

    assert services.send_due() == 1
    services.send_due(far_visit.start - timedelta(days=3))
    assert far_visit.communications.get(lead=DAYS).reason == Reason.OPTED_OUT


def test_who_gave_all_answers_is_not_asked_for_them(far_visit, mail_server):
    announce(far_visit, "booked")
    CheckIn.objects.create(appointment=far_visit, location="Home", details_at=timezone.now())
    text = ConsentText.objects.get(clinic=far_visit.clinic, language="en")
    Consent.objects.create(appointment=far_visit, patient=far_visit.patient, text=text)
    services.send_due(far_visit.start - timedelta(days=2))

    assert far_visit.communications.get(kind=Kind.FORM_MISSING).reason == Reason.NOT_NEEDED


@pytest.mark.parametrize(
    ("status", "reason"), [("in-progress", ""), ("completed", Reason.NOT_NEEDED), ("stopped", Reason.NOT_NEEDED)]
)
@pytest.mark.parametrize("mode", ["video", "phone"])
def test_who_still_has_questions_to_answer_is_asked_for_them(far_visit, mail_server, mode, status, reason):
    questionnaire = factories.make_questionnaire(far_visit.visit_type)
    announce(far_visit, "booked")
    Appointment.objects.update(mode=mode)
    if mode == "video":
        CheckIn.objects.create(appointment=far_visit, location="Home", details_at=timezone.now())
        text = ConsentText.objects.get(clinic=far_visit.clinic, language="en")
        Consent.objects.create(appointment=far_visit, patient=far_visit.patient, text=text)
    QuestionnaireResponse.objects.create(appointment=far_visit, questionnaire=questionnaire, status=status)
    services.send_due(far_visit.start - timedelta(days=2))

    assert far_visit.communications.get(kind=Kind.FORM_MISSING).reason == reason


def test_a_visit_by_phone_before_which_nothing_is_asked_has_no_form_to_miss(far_visit, mail_server):
    announce(far_visit, "booked")
    Appointment.objects.update(mode="phone")
    services.send_due(far_visit.start - timedelta(days=2))

    assert far_visit.communications.get(kind=Kind.FORM_MISSING).reason == Reason.NOT_NEEDED


def test_who_is_there_already_is_not_reminded(far_visit, mail_server):
    announce(far_visit, "booked")
    Appointment.objects.filter(pk=far_visit.pk).update(status=Appointment.Status.ARRIVED)
    services.send_due(far_visit.start - timedelta(minutes=10))

    assert far_visit.communications.get(lead=SOON).reason == Reason.NOT_NEEDED


def test_after_an_outage_the_older_of_two_reminders_is_left_out(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()
    services.send_due(far_visit.start - timedelta(hours=20))

    assert far_visit.communications.get(lead=DAYS).reason == Reason.TOO_LATE
    assert far_visit.communications.get(lead=DAY).state == State.SENT


# --- what others ask for


def test_the_same_delay_is_told_once_and_a_longer_one_takes_its_place(far_visit):
    for minutes in (20, 20, 40):
        services.announce(far_visit, Kind.RUNNING_LATE, serial_of=f"late-{minutes}", details={"minutes": minutes})

    rows = far_visit.communications.filter(kind=Kind.RUNNING_LATE).order_by("serial")
    assert [(row.serial, row.state, row.reason) for row in rows] == [
        (0, State.SUPPRESSED, Reason.SUPERSEDED),
        (1, State.PLANNED, ""),
    ]


def test_an_offer_needs_no_visit_and_says_until_when(clinic, practitioner, mail_server, settings):
    settings.MESSAGE_LINKS = {"offer": "tests.reminders.conftest.offer_link"}
    set_policy(clinic)
    patient = factories.make_patient(clinic, email="rosa@example.org")
    start = timezone.now() + timedelta(days=1)
    offer = {"patient": patient, "practitioner": practitioner, "start": start, "reference": "offer-1"}
    for _ in range(2):
        services.offer(**offer, until=timezone.now() + timedelta(hours=1))

    assert services.send_due() == 1
    text = mail_server.arrived[0].get_body(("plain",)).get_content()
    assert "this time is kept for you until" in text
    assert "https://clinic.example/offer" in text
    services.offer(**offer | {"reference": "offer-2"}, until=timezone.now() + timedelta(hours=1))
    assert services.send_due(timezone.now() + timedelta(hours=2)) == 0
    assert Communication.objects.get(reference="offer-2").reason == Reason.TOO_LATE


@pytest.mark.django_db(transaction=True)
def test_a_booking_that_is_rolled_back_leaves_no_message(far_visit):
    class Stop(Exception):
        pass

    with suppress(Stop), transaction.atomic():
        announce(far_visit, "booked")
        raise Stop

    assert Communication.objects.count() == 0


def test_the_book_page_says_what_a_patient_would_receive(clinic, patient):
    start = timezone.now().replace(hour=20) + timedelta(days=9)

    new = Patient(clinic=clinic, email="new@example.org")
    assert would_receive(new, None) == "E-mail now, and 3 days, 1 day, 1 hour, and 10 minutes before"
    assert would_receive(patient, start) == would_receive(new, None)
    assert would_receive(patient, timezone.now() + timedelta(minutes=5)) == "E-mail now"
    assert would_receive(Patient(clinic=clinic, phone="(555) 010-0119"), None) == ""
    ReminderPolicy.objects.create(clinic=clinic)
    assert would_receive(patient, start) == "E-mail now"


def test_the_book_page_names_text_messages_where_the_clinic_sends_them(clinic):
    ReminderPolicy.make(clinic, sms=True)
    by_phone = Patient(clinic=clinic, phone="(512) 555-0119")

    assert would_receive(by_phone, None) == "Text message now, and 1 day and 10 minutes before"
    by_phone.email = "new@example.org"
    assert would_receive(by_phone, None).endswith(" before. Text message now, and 1 day and 10 minutes before")


def test_who_never_heard_of_a_move_that_was_taken_back_hears_nothing(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()
    known = far_visit.start
    move(far_visit, known + timedelta(days=1))
    move(far_visit, known)

    assert services.send_due() == 0
    rows = {row.revision: (row.state, row.reason) for row in far_visit.communications.filter(kind=Kind.RESCHEDULE)}
    assert rows == {1: (State.SUPPRESSED, Reason.SUPERSEDED), 2: (State.SUPPRESSED, Reason.NOT_NEEDED)}
    assert services.is_no_news(far_visit)
    assert far_visit.communications.filter(revision=2, kind=Kind.REMINDER, state=State.PLANNED).exists()


def test_who_heard_of_a_move_hears_that_it_was_taken_back(far_visit, mail_server):
    announce(far_visit, "booked")
    known = far_visit.start
    services.send_due()
    move(far_visit, known + timedelta(days=1))
    services.send_due()
    move(far_visit, known)

    assert services.send_due() == 1
    assert not services.is_no_news(far_visit)


@pytest.mark.parametrize("what", ["clinician", "visit type", "a row of before"])
def test_at_the_same_time_with_somebody_else_or_for_something_else_it_is_news(far_visit, mail_server, what):
    announce(far_visit, "booked")
    services.send_due()
    if what == "clinician":
        far_visit.practitioner = factories.make_practitioner(far_visit.clinic)
    if what == "visit type":
        far_visit.visit_type = factories.make_visit_type(far_visit.clinic)
    if what == "a row of before":
        far_visit.communications.update(details={})
    move(far_visit, far_visit.start)

    assert services.send_due() == 1
