"""Real threads: two who accept, the edge of the deadline, a colleague who books, workers that tick together."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from tests import factories
from tests.conftest import staff
from tests.threads import at_once
from tests.waitlist.conftest import at, cancel, later, open_offer, put, states
from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.reminders.models import Communication
from visits.waitlist import services
from visits.waitlist.models import Offer, Opening, WaitlistEntry
from visits.waitlist.services import offering

pytestmark = pytest.mark.django_db(transaction=True)


def ending(work, *refusals):
    """``work`` as a call that tells how it ended."""

    def call():
        try:
            work()
        except refusals as refusal:
            return type(refusal).__name__
        return "done"

    return call


@pytest.fixture
def offered(waits, gap, front_desk):
    """An open offer to the first of two who wait."""
    waits(), waits()
    cancel(gap, front_desk)
    services.tick()
    return open_offer()


def test_accepted_on_eight_devices_at_once_it_is_one_move(offered):
    ends = at_once([lambda: services.accept(offered).revision] * 8)

    assert ends == [1] * 8
    assert Appointment.objects.get(pk=offered.entry.appointment_id).start == at("10:00")


def test_accepted_and_declined_at_once_one_of_them_counts(offered):
    ends = Counter(
        at_once(
            [
                ending(lambda: services.accept(offered), services.OfferClosed),
                ending(lambda: services.decline(offered), services.OfferClosed),
            ]
        )
    )

    assert ends == {"done": 1, "OfferClosed": 1}
    offered.refresh_from_db()
    visit = Appointment.objects.get(pk=offered.entry.appointment_id)
    assert (visit.start == at("10:00")) == (offered.state == "accepted")
    assert not Hold.objects.exists()


def test_at_the_edge_of_the_deadline_it_is_theirs_or_it_is_offered_on(offered, clock):
    clock.move_to(offered.until - timedelta(microseconds=1))
    until = offered.until
    accept = ending(lambda: services.accept(offered), services.OfferClosed)
    ends = at_once([accept, *[lambda: services.tick(until)] * 3])

    offered.refresh_from_db()
    visit = Appointment.objects.get(pk=offered.entry.appointment_id)
    if ends[0] == "done":
        assert (offered.state, visit.start) == ("accepted", at("10:00"))
        assert not Offer.objects.filter(state="open", start=at("10:00")).exists()
    else:
        assert (offered.state, visit.start) == ("expired", later())
    assert Hold.objects.count() == Offer.objects.filter(state="open").count()


def test_a_colleague_who_books_it_meanwhile_is_refused_by_the_hold(offered, book, gap):
    accept = ending(lambda: services.accept(offered), services.OfferClosed)
    take = ending(lambda: book(patient=gap.patient, start=gap.start), booking.SlotTaken)

    assert at_once([accept, take, take]) == ["done", "SlotTaken", "SlotTaken"]


def test_what_is_cancelled_while_it_is_accepted_is_cancelled(offered, front_desk):
    visit = offered.entry.appointment
    ends = at_once(
        [
            ending(lambda: services.accept(offered), services.OfferClosed),
            lambda: booking.cancel(principal=staff(front_desk), visit=visit).status,
        ]
    )

    assert ends[1] == "cancelled"
    assert not Hold.objects.exists()
    assert not Offer.objects.filter(state="open").exists()
    # Where the visit was last is free: the other who waits is asked, by both ways.
    services.tick()
    assert open_offer().entry != offered.entry


def test_workers_that_tick_together_make_one_offer_for_each_time(waits, gap, front_desk):
    entries = [waits() for _ in range(3)]
    cancel(gap, front_desk)

    assert sum(at_once([services.tick] * 6)) == 1
    assert [states(entry) for entry in entries] == [["open"], [], []]
    assert Hold.objects.count() == Communication.objects.filter(kind="offer").count() == 1


def test_a_worker_that_dies_while_it_offers_leaves_nothing_behind(waits, gap, front_desk, monkeypatch):
    waits()
    cancel(gap, front_desk)

    def die(**_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(offering.reminders, "offer", die)
        with pytest.raises(SystemExit):
            services.tick()
    assert not Hold.objects.exists()
    assert not Offer.objects.exists()
    assert services.tick() == 1


def test_a_hold_outlives_no_offer_even_if_no_worker_ever_comes_again(offered, book, gap, clock):
    clock.move_to(offered.until)

    assert book(patient=gap.patient, start=gap.start).start == at("10:00")


# --- what the database refuses, whoever asks ------------------------------------------------------


def refused(make):
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        make()


def test_the_database_refuses_a_second_open_offer_of_a_time_or_to_an_entry(offered, front_desk):
    other = WaitlistEntry.objects.exclude(pk=offered.entry_id).get()
    opening = Opening.objects.create(
        practitioner=offered.practitioner, begin=offered.start, end=offered.start + timedelta(hours=1)
    )
    same = {"practitioner": offered.practitioner, "held": offered.held, "until": offered.until, "opening": opening}

    refused(lambda: Offer.objects.create(entry=other, start=offered.start, **same))
    refused(lambda: Offer.objects.create(entry=offered.entry, start=later("09:00"), **same))
    Offer.objects.filter(pk=offered.pk).update(state="declined", closed_at=timezone.now())
    refused(lambda: Offer.objects.create(entry=offered.entry, start=at("11:00"), **same | {"opening": offered.opening}))
    Offer.objects.create(entry=other, start=at("11:00"), **same)


def test_the_database_refuses_what_makes_no_sense(offered):
    entry, now = offered.entry, timezone.now()
    for wrong in ({"weekdays": ""}, {"morning": False, "afternoon": False, "evening": False}, {"ended_at": now}):
        refused(lambda wrong=wrong: WaitlistEntry.objects.filter(pk=entry.pk).update(**wrong))
    refused(lambda: WaitlistEntry.objects.create(appointment=entry.appointment, last_day=later().date()))
    offers = Offer.objects.filter(pk=offered.pk)
    for wrong in (
        {"state": "lost"},
        {"state": "declined"},
        {"closed_at": now},
        {"until": offered.start + timedelta(minutes=1)},
    ):
        refused(lambda wrong=wrong: offers.update(**wrong))
    refused(lambda: Opening.objects.update(end=at("09:00")))


def test_two_hands_that_ask_at_once_make_one_entry(book, front_desk, clinic):
    visit = book(patient=factories.make_patient(clinic), start=later())
    at_once([lambda: put(visit, front_desk)] * 6)
    assert WaitlistEntry.objects.count() == 1
