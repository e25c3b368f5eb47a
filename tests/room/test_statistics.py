"""The flight recorder: what is kept of each minute of each line, by however many who heard it."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from freezegun import freeze_time

from accounts.models import AccessLink, User
from accounts.principal import Principal
from tests.room.sockets import Page
from visits.booking.models import Appointment
from visits.live.messages import Refused, parse
from visits.relay.client import StreamFigures
from visits.room import services, statistics
from visits.room.models import Encounter, LineMinute, Seat
from visits.room.statistics import Heard, Recorder, Sum, concerns, of_seats, record
from visits.room.timeline import lines_of

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
REPORT = {
    "span": 5000,
    "round_trip": 40,
    "freezes": 1,
    "frozen": 300,
    "concealed": 20,
    "heard": 5000,
    "decoded": 150,
    "dropped": 2,
    "width": 1280,
    "height": 720,
}


def stream(sender: str, receiver: str | None, role: str = "camera", **figures: Any) -> StreamFigures:
    known = {"bitrate": 1_000_000, "loss": 0.0, "jitter": None, "round_trip": None, **figures}
    return StreamFigures(sender, receiver, role, **known)


def heard(seconds: int, up: float = 1000.0) -> Heard:
    one = Heard(seconds)
    for _ in range(seconds):
        one.figures.setdefault("up", Sum()).add(up)
    return one


# --- from streams to seats ------------------------------------------------------------------------


def test_a_seats_line_is_what_it_sends_and_what_it_receives() -> None:
    streams = [
        stream("a", None, bitrate=900_000, loss=0.02),
        stream("a", None, "microphone", bitrate=30_000, loss=0.0),
        stream("b", "a", bitrate=700_000, loss=0.1, jitter=0.012, round_trip=0.052),
        stream("b", "a", "microphone", bitrate=20_000, loss=0.0, jitter=0.003, round_trip=0.05),
    ]

    assert of_seats(streams) == {
        "a": {"up": 930_000, "down": 720_000, "loss_up": 0.02, "loss_down": 0.1, "round_trip": 50.0, "jitter": 12.0}
    }


def test_what_nobody_knows_is_left_out() -> None:
    assert of_seats([stream("a", None, loss=None)]) == {"a": {"up": 1_000_000, "down": 0}}


def test_one_hears_of_what_one_sends_and_receives_and_of_nothing_else() -> None:
    streams = [stream("a", None), stream("b", None), stream("a", "b"), stream("b", "a"), stream("c", "a")]

    assert concerns(streams, "b") == [stream("b", None), stream("a", "b"), stream("b", "a")]


# --- a page's own report --------------------------------------------------------------------------


def test_a_report_is_numbers_within_bounds() -> None:
    schema = {"stats": statistics.REPORT}
    assert parse(json.dumps({"type": "stats", "id": 1, **REPORT}), schema).fields == REPORT
    for name in REPORT:
        for wrong in (-1, 10**9, 1.5, "1", True, [1], {}):
            with pytest.raises(Refused):
                parse(json.dumps({"type": "stats", "id": 1, **REPORT, name: wrong}), schema)


def test_reports_are_added_up() -> None:
    both = statistics.added(REPORT, {**REPORT, "round_trip": None, "height": 360, "freezes": 2})

    assert (both["span"], both["freezes"], both["round_trip"], both["height"]) == (10_000, 3, 40, 360)


# --- rows -----------------------------------------------------------------------------------------


@pytest.fixture
def seat(encounter: Encounter, as_clinician: Principal) -> Seat:
    Encounter.objects.filter(pk=encounter.pk).update(started_at=NOON)
    return services.seat_for(as_clinician, encounter)


def test_a_minute_has_one_row_with_least_mean_and_most(seat: Seat) -> None:
    recorder = Recorder()
    for second, rate in enumerate((100_000, 300_000, 200_000)):
        now = NOON + timedelta(seconds=second)
        recorder.hear([stream(str(seat.pk), None, bitrate=rate, loss=second / 10)], now)
        recorder.tell(str(seat.pk), REPORT, now)
    recorder.hear([stream(str(seat.pk), None)], NOON + timedelta(seconds=60))
    recorder.write(seat.encounter_id)

    first, second_minute = LineMinute.objects.filter(seat=seat)
    assert (first.minute, first.seconds) == (NOON, 3)
    assert first.relay["up"] == [100_000, 200_000, 300_000]
    assert first.relay["loss_up"] == [0, 0.1, 0.2]
    assert first.browser["freezes"] == 3
    assert (second_minute.minute, second_minute.seconds) == (NOON + timedelta(minutes=1), 1)


def test_the_minute_that_goes_on_grows_and_reports_are_not_counted_twice(seat: Seat) -> None:
    with freeze_time(NOON) as clock:
        recorder = Recorder()
        for seconds in (1, 2):
            recorder.hear([stream(str(seat.pk), None)], NOON)
            recorder.tell(str(seat.pk), REPORT, NOON)
            recorder.write(seat.encounter_id)
            row = LineMinute.objects.get(seat=seat)
            assert (row.seconds, row.browser["freezes"]) == (seconds, seconds)
        clock.tick(61)
        recorder.write(seat.encounter_id)
        assert recorder._heard == {}


@pytest.mark.parametrize("order", [(10, 50), (50, 10)])
def test_who_heard_the_most_of_a_minute_has_the_word(seat: Seat, order: tuple[int, int]) -> None:
    for seconds in order:
        record(encounter=seat.encounter_id, heard={(str(seat.pk), NOON): heard(seconds, up=seconds)}, told={})

    row = LineMinute.objects.get(seat=seat)
    assert (row.seconds, row.relay["up"]) == (50, [50, 50, 50])


@pytest.mark.parametrize("off", [timedelta(minutes=-1), timedelta(days=1)])
def test_only_the_time_of_the_visit_is_on_record(seat: Seat, off: timedelta) -> None:
    record(encounter=seat.encounter_id, heard={(str(seat.pk), NOON + off): heard(5)}, told={})

    assert not LineMinute.objects.exists()


@pytest.mark.parametrize("who", ["6f1d3c1e-3f0c-4b8e-9d0a-2f6c1a7e5b40", "no id"])
def test_seats_of_elsewhere_are_left_alone(seat: Seat, who: str) -> None:
    record(encounter=seat.encounter_id, heard={(who, NOON): heard(5)}, told={(who, NOON): REPORT})
    record(encounter=uuid.uuid4(), heard={(str(seat.pk), NOON): heard(5)}, told={})

    assert not LineMinute.objects.exists()


def test_rows_go_with_the_encounter(seat: Seat) -> None:
    record(encounter=seat.encounter_id, heard={(str(seat.pk), NOON): heard(5)}, told={})

    seat.encounter.delete()

    assert not LineMinute.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_who_write_at_once_make_one_row_and_lose_nothing(seat: Seat) -> None:
    keys = [(str(seat.pk), NOON + timedelta(minutes=n)) for n in range(4)]
    writers = 6
    start = threading.Barrier(writers)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            start.wait()
            for _ in range(3):
                mine = {key: heard(10 + number, up=number) for key in keys}
                record(encounter=seat.encounter_id, heard=mine, told={key: REPORT for key in keys})
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    rows = list(LineMinute.objects.filter(seat=seat))
    assert [row.minute for row in rows] == [minute for _, minute in keys]
    for row in rows:
        assert (row.seconds, row.relay["up"]) == (15, [5, 5, 5])
        assert row.browser["freezes"] == 3 * writers


# --- over sockets ---------------------------------------------------------------------------------


@pytest.fixture
def pages(
    verified: Callable[[User], Client],
    clinician: User,
    redeemed: Callable[[AccessLink], Client],
    patient_link: AccessLink,
    admitted: Appointment,
) -> tuple[Page, Page]:
    staff, patient = verified(clinician), redeemed(patient_link)
    return (
        Page(staff, f"/ws/visits/{admitted.pk}/room/", name="clinician"),
        Page(patient, f"/ws/my/{admitted.pk}/room/", name="patient"),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("relay")
async def test_a_call_is_told_of_its_lines_and_leaves_them_on_record(
    pages: tuple[Page, Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "WRITE_EVERY", 0.5)
    async with pages[0] as clinician, pages[1] as patient:
        await clinician.join()
        await patient.join()
        told = await clinician.until("stats", lambda message: len(message["streams"]) == 8)
        own = await patient.until("stats", lambda message: len(message["streams"]) == 6)
        await patient.send("stats", **REPORT)
        await patient.send("ping")
        await patient.until("pong")

    seats = {one["sender"] for one in told["streams"]}
    assert len(seats) == 2
    assert {one["role"] for one in own["streams"]} == {"microphone", "camera"}
    assert "127.0.0.1" not in json.dumps(told)
    rows = [row async for row in LineMinute.objects.select_related("seat")]
    assert {str(row.seat_id) for row in rows} == seats
    assert {row.seat.role for row in rows if row.browser} == {"patient"}
    assert all(row.relay["up"][2] > 0 for row in rows if row.seconds > 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("relay")
async def test_who_has_not_joined_reports_nothing(pages: tuple[Page, Page]) -> None:
    async with pages[0] as clinician:
        await clinician.send("stats", **REPORT)
        error = await clinician.until("error")

    assert error["code"] == "not-joined"
    assert not await LineMinute.objects.aexists()


# --- the record -----------------------------------------------------------------------------------


@pytest.fixture
def flown(seat: Seat) -> Seat:
    """A seat with three minutes on record, the second with trouble, one missing before the last."""
    for offset, rate, frozen in ((0, 1_200_000, 0), (1, 150_000, 2400), (3, 1_000_000, 0)):
        one = Heard(60)
        for name, values in {"up": (rate, 2 * rate), "loss_down": (0.0, 0.25), "round_trip": (40.0, 90.0)}.items():
            for value in values:
                one.figures.setdefault(name, Sum()).add(value)
        key = str(seat.pk), NOON + timedelta(minutes=offset)
        record(encounter=seat.encounter_id, heard={key: one}, told={key: {**REPORT, "frozen": frozen}})
    return seat


def test_the_record_shows_each_minute_as_picture_and_table(
    flown: Seat, front_desk: User, verified: Callable[[User], Client]
) -> None:
    page = verified(front_desk).get(f"/visits/{flown.encounter.appointment_id}/").content.decode()

    assert page.count('class="line-mean"') == 3 * 5  # nobody knew what was received, and the jitter
    assert "1.8 Mbit/s (1.2 Mbit/s – 2.4 Mbit/s)" in page
    assert "225 kbit/s (150 kbit/s – 300 kbit/s)" in page
    assert "12.5 % (0.0 % – 25.0 %)" in page
    assert "65 ms (40 ms – 90 ms)" in page
    assert 'aria-label="Picture frozen: 0.0 s to 2.4 s"' in page
    assert "127.0.0.1" not in page


def test_numbers_of_a_spanish_page_are_spanish_and_its_pictures_are_not(
    flown: Seat, clinician: User, verified: Callable[[User], Client]
) -> None:
    clinician.language = "es"
    clinician.save()

    page = verified(clinician).get(f"/visits/{flown.encounter.appointment_id}/").content.decode()

    assert "1,8 Mbit/s" in page
    assert 'y="16.0"' in page


def test_a_picture_leaves_gaps_and_stays_within_its_frame(flown: Seat) -> None:
    [line] = lines_of(flown.encounter)

    assert line.width == 4
    assert [bar.x for bar in line.pictures[0].bars] == [0, 1, 3]
    for picture in line.pictures:
        for bar in picture.bars:
            assert 0 <= bar.most_y <= bar.y <= line.height
            assert bar.y + bar.height == pytest.approx(line.height)


def test_a_visit_without_figures_has_no_empty_part(
    encounter: Encounter, clinician: User, verified: Callable[[User], Client]
) -> None:
    page = verified(clinician).get(f"/visits/{encounter.appointment_id}/").content.decode()

    assert 'id="lines"' not in page
