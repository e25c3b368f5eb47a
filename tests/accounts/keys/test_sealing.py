"""What a sealed value opens to, where, and with which key."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from accounts.keys.ring import UnknownKey
from accounts.keys.sealing import CannotOpen, open_, seal
from tests.accounts.keys.rings import LOST, NEW, OLD, ring

PLACE = "accounts.patient.email/1"


def test_a_value_opens_in_its_place_and_never_looks_the_same_twice() -> None:
    with ring(OLD):
        one, two = seal("rosa@example.org", PLACE), seal("rosa@example.org", PLACE)

        assert (open_(one, PLACE), open_(two, PLACE)) == ("rosa@example.org", "rosa@example.org")
    assert one != two
    assert one.startswith("e1:old:")
    assert "rosa" not in one


@pytest.mark.parametrize("place", ["accounts.patient.phone/1", "accounts.patient.email/2", ""])
def test_a_value_that_was_moved_to_another_column_or_row_does_not_open(place: str) -> None:
    with ring(OLD):
        token = seal("rosa@example.org", PLACE)

        with pytest.raises(CannotOpen, match="changed or moved"):
            open_(token, place)


def test_a_value_opens_with_the_key_of_its_id_after_another_came_first() -> None:
    with ring(OLD):
        token = seal("rosa@example.org", PLACE)

    with ring(NEW, OLD):
        assert open_(token, PLACE) == "rosa@example.org"
        assert seal("rosa@example.org", PLACE).startswith("e1:new:")


def test_a_key_that_is_not_there_is_named() -> None:
    with ring(LOST):
        token = seal("rosa@example.org", PLACE)

    with ring(NEW, OLD), pytest.raises(UnknownKey, match="Key 'lost' is not among TELEHEALTH_DATA_KEYS"):
        open_(token, PLACE)


def test_another_key_under_the_same_id_opens_nothing() -> None:
    with ring(("same", OLD[1])):
        token = seal("rosa@example.org", PLACE)

    with ring(("same", NEW[1])), pytest.raises(CannotOpen):
        open_(token, PLACE)


def test_a_value_relabelled_with_another_id_of_the_same_key_does_not_open() -> None:
    with ring(OLD, ("copy", OLD[1])):
        token = seal("rosa@example.org", PLACE)

        with pytest.raises(CannotOpen):
            open_(token.replace(":old:", ":copy:"), PLACE)


def test_a_changed_byte_anywhere_is_noticed() -> None:
    with ring(OLD):
        token = seal("rosa@example.org", PLACE)

        start, sealed = token[:7], bytearray(urlsafe_b64decode(token[7:]))
        for at in range(len(sealed)):
            sealed[at] ^= 1
            with pytest.raises(CannotOpen):
                open_(start + urlsafe_b64encode(sealed).decode(), PLACE)
            sealed[at] ^= 1


@pytest.mark.parametrize(
    "token", ["", "rosa@example.org", "e1:old", "e1:old:", "e1:old:AAAA", "e2:old:AAAA", "e1:old:é"]
)
def test_what_is_no_sealed_value_is_said_to_be_none(token: str) -> None:
    with ring(OLD), pytest.raises(CannotOpen):
        open_(token, PLACE)
