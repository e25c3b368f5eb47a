"""Connectivity checks and their answers, beside aioice, which reads and writes all of STUN."""

import pytest
from aioice import stun as ice

from tests.fuzz import packets
from tests.fuzz.mutate import Mutator
from visits.relay import stun

PASSWORD = "p" * 32


def request(**attributes):
    message = ice.Message(ice.Method.BINDING, ice.Class.REQUEST)
    message.attributes |= {"USERNAME": "ours:theirs", "PRIORITY": 7, "ICE-CONTROLLING": 2**63 + 1} | attributes
    return message


def signed(message, password=PASSWORD):
    message.add_message_integrity(password.encode())
    return bytes(message)


@pytest.mark.parametrize("nominating", [{}, {"USE-CANDIDATE": None}])
def test_a_check_is_read_as_it_was_written(nominating):
    message = request(**nominating)
    data = signed(message)
    assert stun.looks_like_request(data)
    assert stun.ufrag(data) == "ours"
    check = stun.parse_check(data)
    assert check.transaction == message.transaction_id
    assert check.nominates == bool(nominating)
    assert check.authentic(PASSWORD)
    assert not check.authentic(PASSWORD[1:])


def test_what_is_not_authenticated_is_not_heeded():
    data = signed(request(**{"USE-CANDIDATE": None}))
    for at in range(8, len(data) - stun.FINGERPRINT_BYTES):
        bent = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            check = stun.parse_check(bent)
        except ValueError:
            continue
        assert not check.authentic(PASSWORD), at
    message = request()
    message.add_message_integrity(PASSWORD.encode())
    del message.attributes["FINGERPRINT"]
    message.attributes["USE-CANDIDATE"] = None
    message.add_fingerprint()
    check = stun.parse_check(bytes(message))
    assert check.authentic(PASSWORD)
    assert not check.nominates


def test_what_is_no_check_is_a_value_error():
    plain, whole = bytes(request()), signed(request())
    short = request()
    short.attributes["MESSAGE-INTEGRITY"] = b"short"
    for data in (plain, bytes(short), whole[:-1] + b"x", whole[:-40], whole[:22]):
        with pytest.raises(ValueError, match=r"STUN|credentials|MESSAGE-INTEGRITY"):
            stun.parse_check(data)


@pytest.mark.parametrize("address", [("127.0.0.1", 4000), ("255.255.255.255", 65535), ("0.0.0.0", 1)])
def test_an_answer_is_written_as_aioice_writes_it(address):
    message = request()
    answer = stun.success(stun.parse_check(signed(message)), address, PASSWORD)
    expected = ice.Message(ice.Method.BINDING, ice.Class.RESPONSE, message.transaction_id)
    expected.attributes["XOR-MAPPED-ADDRESS"] = address
    assert answer == signed(expected)


def test_of_checks_that_are_nearly_right_both_say_the_same():
    mutator, authentic, differ = Mutator(5), 0, []
    for _ in range(20_000):
        data = packets.stun(mutator, "ours:theirs", PASSWORD)
        if not stun.looks_like_request(data):
            continue
        try:
            check = stun.parse_check(data)
            ours = check.authentic(PASSWORD), check.nominates
        except ValueError:
            ours = False, False
        try:
            message = ice.parse_message(data)
            theirs = message.check_message_integrity(PASSWORD.encode()), "USE-CANDIDATE" in message.attributes
        except Exception:  # aioice also lets out what is wrong with attributes that nobody here reads
            theirs = None
        authentic += ours[0]
        if theirs is not None and (ours[0] != theirs[0] or (ours[0] and ours != theirs)):
            differ.append((data.hex(), ours, theirs))
    assert not differ
    assert authentic > 1000
