"""The parsing of what clients say: PROTOCOL.md, "Rules for every message"."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visits.live.messages import (
    MAX_BYTES,
    MESSAGE_BURST,
    REFUSAL_BURST,
    WORDS,
    Bucket,
    Inbox,
    Message,
    Refused,
    flag,
    is_too_large,
    parse,
    text,
    whole,
)

SCHEMA = {"ping": {}, "join": {"sdp": text(100), "audio": flag}, "turn": {"by": whole(1, 3)}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def code_of(frame: str) -> str:
    with pytest.raises(Refused) as refusal:
        parse(frame, SCHEMA)
    return refusal.value.code


def test_a_good_message_is_read():
    frame = json.dumps({"type": "join", "id": 4, "sdp": "v=0", "audio": True})

    assert parse(frame, SCHEMA) == Message("join", 4, {"sdp": "v=0", "audio": True})


@pytest.mark.parametrize(
    "frame",
    [
        "", "nonsense", "[]", '"ping"', "null", "{}", '{"type":"ping"}', '{"id":1}', '{"type":1,"id":1}',
        '{"type":"ping","id":0}', '{"type":"ping","id":-1}', '{"type":"ping","id":1.5}', '{"type":"ping","id":true}',
        '{"type":"ping","id":"1"}', '{"type":"ping","id":9007199254740992}', '{"type":"ping","id":NaN}',
        '{"type":"ping","id":' + "9" * 5000 + "}", "[" * 60_000,
    ],
)  # fmt: skip
def test_what_is_no_message_is_malformed(frame):
    assert code_of(frame) == "malformed"


def test_an_unknown_type_is_refused_with_its_id():
    with pytest.raises(Refused) as refusal:
        parse('{"type":"__init__","id":7}', SCHEMA)

    assert (refusal.value.code, refusal.value.re) == ("unknown-type", 7)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sdp": "v=0"},
        {"sdp": "v=0", "audio": True, "more": 1},
        {"sdp": "v=0", "audio": 1},
        {"sdp": 5, "audio": True},
        {"sdp": "x" * 101, "audio": True},
        {"sdp": "a\0b", "audio": True},
        {"sdp": "\ud800", "audio": True},
    ],
)
def test_wrong_fields_are_refused(fields):
    assert code_of(json.dumps({"type": "join", "id": 1, **fields})) == "bad-field"


@pytest.mark.parametrize("value", [0, 4, 1.0, True, "1", None])
def test_a_whole_number_out_of_range_is_refused(value):
    assert code_of(json.dumps({"type": "turn", "id": 1, "by": value})) == "bad-field"


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_message_or_a_coded_refusal(frame):
    _parse_or_refuse(frame)


@given(st.dictionaries(st.sampled_from(["type", "id", "sdp", "audio", "by", "x"]), json_values | st.just("join")))
def test_any_json_object_is_a_message_or_a_coded_refusal(data):
    _parse_or_refuse(json.dumps(data))


@given(
    st.dictionaries(st.text(max_size=6), json_values, max_size=4),
    st.sampled_from(list(SCHEMA)),
    st.integers(1, 2**53 - 1),
)
def test_any_fields_on_a_known_type_are_a_message_or_a_coded_refusal(fields, name, number):
    _parse_or_refuse(json.dumps({**fields, "type": name, "id": number}))


def _parse_or_refuse(frame: str) -> None:
    outcome = _outcome(frame)
    if isinstance(outcome, Refused):
        assert outcome.code in WORDS
        assert outcome.message.isascii()
        assert outcome.re is None or outcome.re >= 1
    else:
        assert outcome.fields.keys() == SCHEMA[outcome.type].keys()


def _outcome(frame: str) -> Message | Refused:
    try:
        return parse(frame, SCHEMA)
    except Refused as refusal:
        return refusal


def test_size_counts_in_bytes():
    assert not is_too_large("x" * MAX_BYTES)
    assert is_too_large("x" * (MAX_BYTES + 1))
    assert is_too_large("é" * (MAX_BYTES // 2 + 1))
    assert is_too_large(b"x" * (MAX_BYTES + 1))


def test_an_id_must_grow():
    inbox = Inbox(SCHEMA, Clock())
    inbox.take('{"type":"ping","id":5}')

    for number in (5, 4):
        with pytest.raises(Refused) as refusal:
            inbox.take(f'{{"type":"ping","id":{number}}}')
        assert (refusal.value.code, refusal.value.re) == ("out-of-order", number)
    assert inbox.take('{"type":"ping","id":6}').id == 6


def test_a_refused_message_has_used_up_its_id():
    inbox = Inbox(SCHEMA, Clock())
    with pytest.raises(Refused, match="unknown-type"):
        inbox.take('{"type":"nope","id":3}')

    with pytest.raises(Refused, match="out-of-order"):
        inbox.take('{"type":"ping","id":3}')


def test_too_many_messages_at_once_are_refused_until_time_passes():
    clock = Clock()
    inbox = Inbox(SCHEMA, clock)
    for number in range(1, MESSAGE_BURST + 1):
        inbox.take(f'{{"type":"ping","id":{number}}}')

    with pytest.raises(Refused) as refusal:
        inbox.take('{"type":"ping","id":900}')
    assert (refusal.value.code, refusal.value.re) == ("too-fast", 900)

    clock.now = 1.0
    assert inbox.take('{"type":"ping","id":901}').id == 901


def test_patience_ends_and_comes_back():
    clock = Clock()
    inbox = Inbox(SCHEMA, clock)

    assert all(inbox.forgive() for _ in range(REFUSAL_BURST))
    assert not inbox.forgive()
    clock.now = 1.5
    assert inbox.forgive()


@given(st.lists(st.floats(0, 5), max_size=60))
def test_a_bucket_never_gives_more_than_its_rate_allows(pauses):
    clock = Clock()
    bucket = Bucket(2, 3, clock)
    taken = 0

    for pause in pauses:
        clock.now += pause
        taken += bucket.take()

    assert taken <= 3 + 2 * clock.now + 1e-6
