"""Rules that a database must enforce itself, in each dialect that we support."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class VendorSQL(Operation):
    """Run the statements written for the database in use; refuse a database without any.

    ``forward`` and ``backward`` map a vendor ("postgresql", "sqlite") to its statements.
    """

    reversible = True

    def __init__(self, forward: dict[str, Sequence[str]], backward: dict[str, Sequence[str]]) -> None:
        self.forward = forward
        self.backward = backward

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._run(self.forward, schema_editor)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._run(self.backward, schema_editor)

    def _run(self, statements: dict[str, Sequence[str]], schema_editor: BaseDatabaseSchemaEditor) -> None:
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement, params=None)

    def describe(self) -> str:
        return "Rules that the database enforces itself"


class WithoutTriggers(SeparateDatabaseAndState):
    """Run ``operations`` that make tables anew on SQLite; every trigger is as before when they are done.

    SQLite drops a table's triggers with it, and does not rename a table while a trigger elsewhere names one that is
    away. PostgreSQL alters its tables in place and keeps its triggers on.
    """

    def __init__(self, *operations: Operation) -> None:
        super().__init__(operations, operations)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        with _without_triggers(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        with _without_triggers(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


@contextmanager
def _without_triggers(schema_editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
    triggers = []
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
    for name, _ in triggers:
        schema_editor.execute(f"DROP TRIGGER {schema_editor.quote_name(name)}", params=None)
    yield
    for _, sql in triggers:
        schema_editor.execute(sql, params=None)


def is_alone(lock: int) -> bool:
    """Take the lock of this number until the transaction ends; False if another one has it.

    SQLite has one writer at a time anyway: there the transaction itself is the lock.
    """
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])
