"""What becomes free is offered to one after the other, is kept meanwhile, and goes to who accepts."""

from datetime import time, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from tests import factories
from tests.conftest import staff
from tests.waitlist.conftest import TUESDAY, at, cancel, later, open_offer, put, states
from visits.booking import services as booking
from visits.booking.models import Appointment, AppointmentChange, Hold
from visits.reminders import services as reminders
from visits.reminders.models import Communication, ContactPreference, ReminderPolicy
from visits.reminders.services import delivery
from visits.schedule.models import ScheduleException, SchedulePolicy
from visits.schedule.services import copy_week
from visits.waitlist import services
from visits.waitlist.fitting import Part
from visits.waitlist.models import Offer, Opening, WaitlistEntry

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
State = Offer.State
End = WaitlistEntry.End


def told(entry):
    """The messages about offers to the entry's patient."""
    return list(Communication.objects.filter(appointment=entry.appointment, kind="offer").order_by("planned_at"))


def book_with_a_colleague(entry, gap):
    """Another visit of the entry's patient at the time of the gap."""
    colleague = factories.make_practitioner(gap.clinic)
    factories.make_hours(colleague, 1, "09:00", "12:00")
    booking.book(
        principal=None,
        practitioner=colleague,
        patient=entry.appointment.patient,
        visit_type=gap.visit_type,
        start=gap.start,
    )


def end(entry, user, answer):
    """What becomes of the entry's open offer."""
    if answer == "withdraw":
        services.leave(principal=staff(user), visit=entry.appointment)
    else:
        getattr(services, answer)(open_offer())


# --- who is asked, and when -----------------------------------------------------------------------


def test_what_a_cancellation_frees_is_kept_for_who_is_longest_on_the_list(waits, gap, front_desk):
    first, second = waits(), waits()
    cancel(gap, front_desk)

    assert services.tick() == 1
    offer = open_offer()
    assert (offer.entry, offer.start, offer.practitioner) == (first, at("10:00"), gap.practitioner)
    assert offer.until == timezone.now() + HOUR
    held = Hold.objects.get(pk=offer.held)
    assert (held.start, held.end, held.expires_at) == (gap.start, gap.end, offer.until)
    assert [message.state for message in told(first)] == ["planned"]
    assert told(second) == []
    assert services.tick() == 0


def test_the_message_says_which_time_and_until_when_and_leads_to_the_offer(waits, gap, front_desk, mailoutbox):
    waits()
    cancel(gap, front_desk)
    services.tick()
    reminders.send_due()

    mail = next(mail for mail in mailoutbox if "An earlier time is free" in mail.subject)
    assert "Tue, Jun 9, 10:00" in mail.subject
    assert "/offers/" in mail.body
    assert "11:00" in mail.body


def test_staff_do_not_send_an_offer_again_which_may_not_stand_any_more(waits, gap, front_desk, verified):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    reminders.send_due()
    message = entry.appointment.communications.get(kind="offer")
    path = reverse("reminders:send-again", kwargs={"pk": message.pk})
    client = verified(front_desk)

    assert path not in client.get(reverse("room:visit", kwargs={"pk": entry.appointment_id})).content.decode()
    assert client.post(path).status_code == 404
    assert told(entry) == [message]


@pytest.mark.parametrize("answer", ["accept", "decline", "withdraw"])
def test_what_is_answered_or_withdrawn_is_not_sent(waits, gap, front_desk, mailoutbox, answer):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    end(entry, front_desk, answer)
    reminders.send_due()

    assert [(message.state, message.reason) for message in told(entry)] == [("suppressed", "not-needed")]
    assert not any("earlier time" in mail.subject for mail in mailoutbox)


@pytest.mark.parametrize("answer", ["accept", "decline", "withdraw"])
@pytest.mark.parametrize("tries_again", [False, True])
def test_nor_when_a_worker_has_the_message_already(waits, gap, front_desk, mailoutbox, answer, tries_again):
    """It is claimed, or comes back for another try: the last look sees it."""
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    Communication.objects.exclude(kind="offer").delete()
    message = delivery._claim(timezone.now(), set(), asked_for=False)
    assert message is not None
    end(entry, front_desk, answer)
    if tries_again:
        delivery._try_later(message, timezone.now(), Communication.Reason.REFUSED)
        Communication.objects.filter(kind="offer").update(due_at=timezone.now())
        reminders.send_due()
    else:
        delivery._handle(message, timezone.now())

    assert [(message.state, message.reason) for message in told(entry)] == [("suppressed", "not-needed")]
    assert not any("earlier time" in mail.subject for mail in mailoutbox)


def test_nobody_is_asked_without_somebody_on_the_list(gap, front_desk):
    cancel(gap, front_desk)

    assert services.tick() == 0
    assert not Opening.objects.exists()


def test_the_wish_counts(waits, gap, front_desk):
    waits(weekdays=[0, 2, 3, 4, 5, 6])
    waits(parts=[Part.AFTERNOON, Part.EVENING])
    waits(last_day=TUESDAY - DAY)
    cancel(gap, front_desk)

    assert services.tick() == 0


def test_with_anybody_is_more_than_with_ones_own_clinician(gap, front_desk, clinic, visit_type, clock):
    colleague = factories.make_practitioner(clinic, name="Dr. B")
    factories.make_hours(colleague, 1, "09:00", "12:00")
    visits = [
        booking.book(
            principal=staff(front_desk),
            practitioner=colleague,
            patient=factories.make_patient(clinic),
            visit_type=visit_type,
            start=start,
        )
        for start in (later("09:00"), later("11:00"))
    ]
    put(visits[0], front_desk)
    clock.tick()
    entry = put(visits[1], front_desk, anyone=True)
    cancel(gap, front_desk)
    services.tick()

    assert open_offer().entry == entry
    assert services.accept(open_offer()).practitioner == gap.practitioner


def test_days_and_times_are_of_the_patients_clock(waits, gap, front_desk, clinic):
    tokyo = factories.make_patient(clinic, time_zone="Asia/Tokyo")
    # Ten on Tuesday in Chicago is midnight on Wednesday in Tokyo.
    entry = waits(patient=tokyo, weekdays=[2], parts=[Part.MORNING])

    assert entry.wish.fits(gap.start, entry.appointment.start)


def test_hardly_earlier_is_not_worth_a_message(waits, gap, front_desk):
    waits(start=at("10:20"))
    cancel(gap, front_desk)

    assert services.tick() == 0


def test_who_is_busy_then_is_not_asked(waits, gap, front_desk):
    book_with_a_colleague(waits(), gap)
    cancel(gap, front_desk)

    assert services.tick() == 0


def test_who_cannot_be_reached_is_not_asked(waits, gap, front_desk, clinic):
    ContactPreference.objects.create(patient=waits().appointment.patient, channel="email", opted_out_at=timezone.now())
    waits(patient=factories.make_patient(clinic, email=""))
    third = waits()
    cancel(gap, front_desk)
    services.tick()

    assert open_offer().entry == third


def test_who_sleeps_is_passed_over_and_asked_when_awake_if_it_is_still_free(waits, gap, front_desk, clock, clinic):
    # It is ten in the morning in Chicago, and five past midnight where the first patient is.
    asleep = waits(patient=factories.make_patient(clinic, time_zone="Asia/Tokyo"))
    awake = waits()
    cancel(gap, front_desk)
    services.tick()
    assert open_offer().entry == awake

    services.decline(open_offer())
    assert services.tick() == 0
    clock.tick(8 * HOUR)  # eight in the morning in Tokyo
    assert services.tick() == 1
    assert open_offer().entry == asleep


def test_who_can_still_read_it_in_time_is_asked_before_they_wake(waits, gap, front_desk, clock):
    entry = waits()
    clock.move_to(at("07:30", TUESDAY - DAY))
    cancel(gap, front_desk)
    services.tick()

    offer = open_offer()
    assert (offer.entry, offer.until) == (entry, at("08:30", TUESDAY - DAY))


def test_there_is_no_offer_without_time_to_answer(waits, gap, front_desk, clock):
    waits()
    clock.move_to(at("09:36"))
    cancel(gap, front_desk)

    assert services.tick() == 0


def test_an_offer_never_stands_until_the_visit_itself(waits, gap, front_desk, clock):
    waits()
    clock.move_to(at("09:20"))
    cancel(gap, front_desk)
    services.tick()

    assert open_offer().until == at("09:45")


def test_the_clinic_says_how_long_an_offer_stands(waits, gap, front_desk, clinic):
    SchedulePolicy.objects.create(clinic=clinic, offer_minutes=25)
    waits()
    cancel(gap, front_desk)
    services.tick()

    assert open_offer().until == timezone.now() + 25 * MINUTE


# --- what frees a time ----------------------------------------------------------------------------


def test_what_a_move_leaves_is_offered(waits, gap, front_desk):
    waits()
    booking.move(principal=staff(front_desk), visit=gap, start=at("11:00"))
    services.tick()

    assert open_offer().start == at("10:00")


def test_what_is_freed_after_midnight_is_offered_with_what_begins_before_it(waits, hours):
    factories.make_hours(hours, 0, "23:30", "00:00")
    factories.make_hours(hours, 1, "00:00", "00:10")
    waits()
    Opening.objects.create(practitioner=hours, begin=at("00:00"), end=at("00:10"))

    services.tick()

    assert open_offer().start == at("23:50", TUESDAY - DAY)


@pytest.mark.parametrize("how", ["moved", "cancelled"])
def test_what_is_left_is_as_long_as_the_visit_was(waits, gap, front_desk, clinic, how):
    waits()
    gap.end = at("11:00")
    gap.save()
    if how == "moved":
        short = factories.make_visit_type(clinic, minutes=20)
        booking.move(principal=staff(front_desk), visit=gap, start=at("11:40"), visit_type=short)
    else:
        cancel(gap, front_desk)

    opening = Opening.objects.get()
    assert (opening.begin, opening.end) == (at("10:00"), at("11:00"))


def test_extra_hours_and_time_off_that_ends_are_offered_to_as_many_as_there_are_times(waits, hours, clinic, visit_type):
    entries = [waits(), waits(), waits()]
    day = TUESDAY - DAY
    extra = ScheduleException.objects.create(
        clinic=clinic,
        practitioner=hours,
        kind="extra",
        first_day=day,
        last_day=day,
        start_time=time(18),
        end_time=time(18, 40),
    )
    # Monday's own nine times from nine to twelve are on that day, too: keep them out of this.
    off = ScheduleException.objects.create(
        clinic=clinic, kind="off", first_day=day, last_day=day, start_time=time(9), end_time=time(12)
    )

    assert services.tick() == 2
    assert [states(entry) for entry in entries] == [["open"], ["open"], []]
    for offer in Offer.objects.filter(state="open"):
        services.decline(offer)
    assert services.tick() == 1, "the third one is asked; the others have been"
    extra.delete()
    off.delete()
    services.tick()
    assert entries[0].offers.get(state=State.OPEN).start == at("09:00", day)


def test_new_weekly_hours_are_offered(waits, hours):
    waits(weekdays=[5])
    assert services.tick() == 0
    factories.make_hours(hours, 5, "09:00", "09:20")
    services.tick()

    assert open_offer().start == at("09:00", TUESDAY - 3 * DAY)


def test_time_off_that_is_made_shorter_frees_what_it_took(waits, hours, clinic):
    off = ScheduleException.objects.create(clinic=clinic, kind="off", first_day=TUESDAY - 4 * DAY, last_day=TUESDAY)
    waits()
    off.last_day = TUESDAY - 2 * DAY
    off.save()

    assert Opening.objects.filter(begin__lte=at("09:00", TUESDAY), end__gt=at("09:00", TUESDAY)).exists()


def test_extra_hours_of_a_copied_week_are_offered(waits, hours, clinic, clinic_admin):
    monday = TUESDAY - DAY
    ScheduleException.objects.create(
        clinic=clinic, practitioner=hours, kind="extra", first_day=monday - 7 * DAY, last_day=monday - 7 * DAY,
        start_time=time(18), end_time=time(18, 40),
    )  # fmt: skip
    Opening.objects.all().delete()
    waits()
    copy_week(principal=staff(clinic_admin), practitioner=hours, from_monday=monday - 7 * DAY, to_mondays=[monday])

    assert Opening.objects.filter(begin__lte=at("18:00", monday), end__gt=at("18:00", monday)).exists()


def test_new_time_off_offers_nothing(waits, hours, clinic):
    waits()
    ScheduleException.objects.create(clinic=clinic, kind="off", first_day=TUESDAY, last_day=TUESDAY)

    assert not Opening.objects.exists()


# --- what becomes of an offer ---------------------------------------------------------------------


def test_who_accepts_gets_it_and_what_they_leave_is_offered_on(waits, gap, front_desk):
    first, second = waits(start=later("09:00")), waits(start=later("11:40"))
    cancel(gap, front_desk)
    services.tick()
    moved = services.accept(open_offer())

    assert (moved.pk, moved.start, moved.revision) == (first.appointment.pk, at("10:00"), 1)
    assert not Hold.objects.exists()
    first.refresh_from_db()
    assert first.end == End.TAKEN
    change = AppointmentChange.objects.get(appointment=moved, change="moved")
    assert (change.role, "waitlist" in change.reason) == ("patient", True)
    assert AuditEvent.objects.filter(subtype="waitlist.answer", detail__answer="accept").count() == 1
    services.tick()
    assert (open_offer().entry, open_offer().start) == (second, later("09:00"))


def test_the_clinics_notice_does_not_bind_what_the_clinic_offers(waits, gap, front_desk, clinic, clock):
    SchedulePolicy.objects.create(clinic=clinic, change_notice=14 * 24)
    waits()
    clock.move_to(at("08:30"))
    cancel(gap, front_desk)
    services.tick()

    assert services.accept(open_offer()).start == gap.start


def test_pressing_accept_again_changes_nothing(waits, gap, front_desk):
    waits()
    cancel(gap, front_desk)
    services.tick()
    offer = open_offer()

    assert services.accept(offer).revision == services.accept(offer).revision == 1


def test_declined_it_goes_to_the_next_and_in_the_end_it_is_free_again(waits, gap, front_desk):
    entries = [waits(), waits()]
    cancel(gap, front_desk)
    for entry in entries:
        services.tick()
        assert open_offer().entry == entry
        services.decline(open_offer())
    services.tick()

    assert not Offer.objects.filter(state=State.OPEN).exists()
    assert not Hold.objects.exists()
    assert Opening.objects.get().closed_at is not None
    assert [entry.ended_at for entry in WaitlistEntry.objects.all()] == [None, None]
    assert [states(entry) for entry in entries] == [["declined"], ["declined"]]


def test_run_out_it_goes_to_the_next_and_cannot_be_accepted_any_more(waits, gap, front_desk, clock):
    _first, second = waits(), waits()
    cancel(gap, front_desk)
    services.tick()
    offer = open_offer()
    clock.tick(HOUR)
    with pytest.raises(services.OfferClosed):
        services.accept(offer)
    services.tick()

    assert open_offer().entry == second
    offer.refresh_from_db()
    assert offer.state == State.EXPIRED
    with pytest.raises(services.OfferClosed):
        services.accept(offer)


def test_what_somebody_let_pass_is_not_offered_to_them_again(waits, gap, front_desk, book):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    services.decline(open_offer())
    cancel(book(patient=gap.patient, start=gap.start), front_desk)

    assert services.tick() == 0
    assert states(entry) == ["declined"]


def test_who_declines_may_come_off_the_list(waits, gap, front_desk):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    services.decline(open_offer(), leave=True)

    entry.refresh_from_db()
    assert (entry.end, states(entry)) == (End.LEFT, ["declined"])


def test_what_a_colleague_is_booking_just_now_is_offered_when_they_do_not(waits, gap, front_desk, clock):
    waits()
    cancel(gap, front_desk)
    booking.hold(principal=staff(front_desk), practitioner=gap.practitioner, visit_type=gap.visit_type, start=gap.start)
    assert services.tick() == 0
    clock.tick(Hold.LASTS)

    assert services.tick() == 1


def test_staff_cannot_book_what_is_being_offered(waits, gap, front_desk, book):
    waits()
    cancel(gap, front_desk)
    services.tick()

    with pytest.raises(booking.SlotTaken):
        book(patient=gap.patient, start=gap.start)


def test_hours_that_went_meanwhile_are_said_and_leave_no_hold(waits, gap, front_desk, clinic):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    ScheduleException.objects.create(clinic=clinic, kind="off", first_day=TUESDAY, last_day=TUESDAY)
    with pytest.raises(services.OfferClosed):
        services.accept(open_offer())

    assert states(entry) == ["withdrawn"]
    assert not Hold.objects.exists()
    entry.refresh_from_db()
    assert entry.ended_at is None
    assert entry.appointment.start == later()


def test_a_patient_who_has_another_visit_then_by_now_is_told_so(waits, gap, front_desk):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    book_with_a_colleague(entry, gap)

    with pytest.raises(services.OfferClosed):
        services.accept(open_offer())

    assert states(entry) == ["withdrawn"]


# --- the end of an entry --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cancelled", "earlier", "left", "arrived"])
def test_an_entry_that_ends_takes_its_offer_along(waits, gap, front_desk, how):
    entry, following = waits(), waits()
    cancel(gap, front_desk)
    services.tick()
    principal = staff(front_desk)
    if how == "cancelled":
        booking.cancel(principal=principal, visit=entry.appointment)
    elif how == "earlier":
        booking.move(principal=principal, visit=entry.appointment, start=at("11:00"))
    elif how == "arrived":
        booking.arrive(principal=principal, visit=entry.appointment)
    else:
        services.leave(principal=principal, visit=entry.appointment)

    entry.refresh_from_db()
    ends = {"cancelled": End.CLOSED, "earlier": End.MOVED, "left": End.LEFT, "arrived": End.CLOSED}
    assert (entry.end, states(entry)) == (ends[how], ["withdrawn"])
    assert [message.state for message in told(entry)] == ["suppressed"]
    services.tick()
    assert Offer.objects.get(state="open", start=at("10:00")).entry == following


def test_a_visit_moved_to_later_stays_on_the_list_with_what_was_offered_withdrawn(waits, gap, front_desk):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()
    booking.move(principal=staff(front_desk), visit=entry.appointment, start=later("11:40"))

    entry.refresh_from_db()
    assert (entry.ended_at, states(entry)) == (None, ["withdrawn"])


def test_who_begins_or_whose_last_day_is_over_is_off_the_list(waits, clock):
    begun, past = waits(start=later("09:00")), waits(last_day=TUESDAY)
    clock.move_to(at("00:10", TUESDAY + DAY))
    services.tick()
    past.refresh_from_db()
    begun.refresh_from_db()
    assert (past.end, begun.ended_at) == (End.PAST, None)
    clock.move_to(later("09:00"))
    services.tick()
    begun.refresh_from_db()
    assert begun.end == End.CLOSED


def test_quiet_hours_are_the_clinics(waits, gap, front_desk, clinic):
    ReminderPolicy.objects.create(clinic=clinic, quiet_from=time(9), quiet_until=time(20))
    waits()
    cancel(gap, front_desk)

    assert services.tick() == 0


def test_the_offers_of_a_visit_are_on_its_ledger(waits, gap, front_desk):
    entry = waits()
    cancel(gap, front_desk)
    services.tick()

    assert told(entry)[0].reference == str(open_offer().pk)
    assert Appointment.objects.get(pk=entry.appointment.pk).communications.filter(kind="offer").exists()
