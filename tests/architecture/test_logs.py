"""What a log must not hold, whoever writes it."""

import logging
import logging.config
import sys

import pytest
from django.conf import settings

from telehealth.logs import HidingFormatter


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Not Found: /v/aB3_x-9/", "Not Found: /v/***"),
        ("GET 'https://host/v/aB3/'", "GET 'https://host/v/***'"),
        ("Gone: /invitation/aB3_x-9/", "Gone: /invitation/***"),
        ("Gone: /password/0b1/c2-d3/?x=1", "Gone: /password/***?x=1"),
        ("Not Found: /calendar/feed/aB3_x-9.ics", "Not Found: /calendar/feed/***"),
        ("Not Found: /offers/0b1:aB3_x-9/", "Not Found: /offers/***"),
        ("Not Found: /m/0b1:aB3_x-9/", "Not Found: /m/***"),
        ("Not Found: /m/stop/0b1.email:aB3_x-9/", "Not Found: /m/***"),
        ("refused {'rosa.m+x@example.co.uk': (550, b'no')}", "refused {'***@***': (550, b'no')}"),
        ("visit 0b1 @ 10:30", "visit 0b1 @ 10:30"),
    ],
)
def test_secrets_and_addresses_are_cut_out(text: str, written: str) -> None:
    """Row 19 of the checklist: no secrets and no addresses of people in logs."""
    record = logging.makeLogRecord({"msg": "%s", "args": (text,)})

    assert HidingFormatter().format(record) == written


def test_tracebacks_are_cut_too() -> None:
    try:
        raise ValueError("Key (email)=(rosa@example.org) at /v/secret/")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})

    written = HidingFormatter().format(record)

    assert "ValueError: Key (email)=(***@***) at /v/***" in written
    assert "rosa" not in written.split("ValueError:")[-1]


def test_the_row_that_a_database_refused_is_cut_out() -> None:
    """As PostgreSQL words it: the traceback of a page that failed has all of it."""
    refused = (
        'django.db.utils.IntegrityError: new row for relation "accounts_patient" violates check constraint "x"\n'
        "DETAIL:  Failing row contains (0b1, Rosa, Marín, 1979-03-14, at home\nsince 1979, , en).\n"
    )

    written = HidingFormatter().format(logging.makeLogRecord({"msg": refused}))

    assert written.endswith('violates check constraint "x"\\nDETAIL: ***')
    assert not [word for word in ("Rosa", "Marín", "1979") if word in written]


FORGED = "2026-11-29 10:00:00,000 ERROR accounts forged"
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("sign", [*BREAKS, "\0", "\x08", "\x1b[2K", "\x9b2K", "\x7f", "\u202e"])
def test_nobody_writes_a_record_or_speaks_to_the_terminal(sign: str) -> None:
    """Row 19 of the checklist, and ASVS 5.0 16.4.1: in the message and its arguments, wherever a word of theirs is."""
    for record in (
        logging.makeLogRecord({"msg": f"Not Found: /x{sign}{FORGED}"}),
        logging.makeLogRecord({"msg": "Not Found: %s, %r", "args": (f"/x{sign}{FORGED}", 1)}),
    ):
        written = HidingFormatter("{levelname} {message}", style="{").format(record)

        assert len(written.splitlines()) == 1
        assert written.isprintable()
        assert FORGED in written


def test_letters_of_all_languages_stay_as_they_are() -> None:
    written = HidingFormatter().format(logging.makeLogRecord({"msg": "José Ñandú, 病院, \\n, 100 %"}))

    assert written == "José Ñandú, 病院, \\n, 100 %"


@pytest.mark.parametrize("sign", BREAKS)
def test_each_line_of_a_traceback_is_marked(sign: str) -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as cause:
            raise ValueError(f"wrong{sign}{FORGED}") from cause
    except ValueError:
        told = sys.exc_info()
    record = logging.makeLogRecord({"msg": "failed", "exc_info": told, "stack_info": f"Stack:{sign}{FORGED}"})
    logging.Formatter().format(record)  # another handler's formatter leaves its text in the record

    first, *traceback = HidingFormatter("{levelname} {message}", style="{").format(record).splitlines()

    assert first.endswith("failed")
    assert len(traceback) > 8
    assert all(line.startswith("    | ") and line.isprintable() for line in traceback)
    assert sum(FORGED in line for line in traceback) == 2


def test_handshakes_are_not_written_down_unless_asked_for() -> None:
    """And with their headers never: tests/live/test_tickets.py."""
    assert not logging.getLogger("uvicorn.error").isEnabledFor(logging.INFO)


def test_all_that_is_logged_goes_through_it() -> None:
    handlers = settings.LOGGING["root"]["handlers"]

    assert [settings.LOGGING["handlers"][name]["formatter"] for name in handlers] == ["hiding"]
    assert any(isinstance(handler.formatter, HidingFormatter) for handler in logging.getLogger().handlers)
    for name in ("django", "django.request", "uvicorn", "uvicorn.error"):
        assert not logging.getLogger(name).handlers
