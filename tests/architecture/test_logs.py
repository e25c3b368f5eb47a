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
        "DETAIL:  Failing row contains (0b1, Rosa, Marín, 1979-03-14, , en).\n"
    )

    written = HidingFormatter().format(logging.makeLogRecord({"msg": refused}))

    assert 'violates check constraint "x"\nDETAIL: ***' in written
    assert not [word for word in ("Rosa", "Marín", "1979") if word in written]


def test_all_that_is_logged_goes_through_it() -> None:
    handlers = settings.LOGGING["root"]["handlers"]

    assert [settings.LOGGING["handlers"][name]["formatter"] for name in handlers] == ["hiding"]
    assert any(isinstance(handler.formatter, HidingFormatter) for handler in logging.getLogger().handlers)
    for name in ("django", "django.request", "uvicorn", "uvicorn.error"):
        assert not logging.getLogger(name).handlers
