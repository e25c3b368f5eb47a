"""What thousands of visits have in common is made once."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Func
from django.db.models.sql.compiler import SQLCompiler

K = TypeVar("K")
V = TypeVar("V")


class Made(dict[K, V], Generic[K, V]):
    """What ``make`` returns for each key, made when it is first asked for."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self.make = make

    def __missing__(self, key: K) -> V:
        value = self[key] = self.make(key)
        return value


class Once(Func):
    """A column of which few values differ: each is converted from the database's once, not in every row.

    ``then`` is called with the converted value; what it returns stands in the rows.
    """

    template = "%(expressions)s"
    arity = 1

    def __init__(self, column: str, then: Callable[[Any], Any] | None = None) -> None:
        # A plain field converts nothing: the column's own does, below.
        super().__init__(column, output_field=Field())
        self.then = then

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        # Of a bare column the driver converts each value, by the type that the table declares.
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Callable[..., Any]]:
        (column,) = self.get_source_expressions()
        steps = connection.ops.get_db_converters(column) + column.get_db_converters(connection)

        def convert(value: Any) -> Any:
            for step in steps:
                value = step(value, column, connection)
            return self.then(value) if self.then else value

        made = Made(convert)
        return [lambda value, _column, _connection: made[value]]
