"""Emptying the database between tests is the one deletion that our own triggers must let pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.operations import BaseDatabaseOperations

TRIES = 5


@pytest.fixture(autouse=True, scope="session")
def flush_past_triggers() -> Iterator[None]:
    """Transactional tests end with a flush, which the audit trail's triggers would refuse.

    A socket that is just ending may read while the tables are emptied, each in its own order: PostgreSQL
    ends one of the two as a deadlock, and if it is the flush, it is tried again.
    """
    flush = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: BaseDatabaseOperations, statements: list[str]) -> None:
        for left in reversed(range(TRIES)):
            try:
                with without_triggers(self.connection):
                    flush(self, statements)
                return
            except OperationalError:
                if not left:
                    raise

    BaseDatabaseOperations.execute_sql_flush = execute_sql_flush  # type: ignore[method-assign]
    yield
    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]


@contextmanager
def without_triggers(connection: Any) -> Iterator[None]:
    """As a superuser of the database, who may turn them off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            try:
                yield
            finally:
                cursor.execute("SET session_replication_role = origin")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        try:
            yield
        finally:
            for _, sql in triggers:
                cursor.execute(sql)
