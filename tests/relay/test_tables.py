"""The index of routes: whoever is in it is found, whoever was taken out is not."""

import random

import numpy

from visits.relay.mmsg import address_word
from visits.relay.shapes import Shape
from visits.relay.tables import MAX_ROUTES, MAX_SHAPES, PLACES, Tables, home


def test_routes_that_come_and_go_are_found_while_they_are_there():
    chance, tables, there = random.Random(4), Tables(), {}
    addresses = [address_word((f"203.0.113.{n % 4}", 1024 + n)) for n in range(60)]
    for _ in range(20_000):
        stream = chance.choice(addresses), chance.randrange(1 << 32) if chance.random() < 0.5 else chance.randrange(3)
        assert tables.find(*stream) == there.get(stream, -1)
        if stream in there:
            tables.remove(there.pop(stream))
        elif len(there) < MAX_ROUTES:
            there[stream] = tables.add(*stream)
        if there and chance.random() < 0.45:
            gone = chance.choice(list(there)) if len(there) < 50 else next(iter(there))
            tables.remove(there.pop(gone))
    assert len(set(there.values())) == len(there) > 100
    assert all(tables.find(*stream) == row for stream, row in there.items())
    assert numpy.count_nonzero(tables.index) == len(there)


def test_streams_with_one_home_are_told_apart():
    tables, sender = Tables(), address_word(("192.0.2.1", 5000))
    same = [ssrc for ssrc in range(1 << 20) if home(sender, ssrc) == PLACES - 1][:40]  # at the end: they go round
    rows = {ssrc: tables.add(sender, ssrc) for ssrc in same}
    for ssrc in same[::3]:
        tables.remove(rows.pop(ssrc))
        assert all(tables.find(sender, other) == row for other, row in rows.items())
        assert tables.find(sender, ssrc) == -1


def test_there_are_so_many_rows_and_a_row_that_is_used_again_is_empty():
    tables = Tables()
    rows = [tables.add(7, ssrc) for ssrc in range(MAX_ROUTES)]
    assert tables.add(7, MAX_ROUTES) is None
    tables.routes[rows[9]]["moved"] = 5
    tables.remove(rows[9])
    assert tables.add(8, 1) == rows[9]
    assert tables.routes[rows[9]]["moved"] == 0
    assert tables.find(7, 9) == -1


def test_a_shape_has_its_number_for_as_long_as_somebody_holds_it():
    tables = Tables()
    shapes = [Shape(head, 12, 0, (), ()) for head in range(MAX_SHAPES + 1)]
    numbers = [tables.hold(shape) for shape in shapes[:-1]]
    assert sorted(numbers) == list(range(MAX_SHAPES))
    assert tables.hold(shapes[3]) == numbers[3]
    assert tables.hold(shapes[-1]) is None
    tables.release(numbers[3])
    assert tables.hold(shapes[-1]) is None
    tables.release(numbers[3])
    assert tables.hold(shapes[-1]) == numbers[3]
    assert tables.shapes[numbers[3]]["head"] == MAX_SHAPES
