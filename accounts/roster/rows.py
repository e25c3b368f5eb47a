"""What becomes of each row of a file, told before anything is saved."""

from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model


@dataclass
class Row:
    """One row of a file: its number in a spreadsheet, its cells, what it would make, and what is wrong with it."""

    number: int
    cells: dict[str, str]
    made: Model | None = None
    is_new: bool = False
    changed: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        return not (self.errors or self.is_new or self.changed)

    @property
    def is_change(self) -> bool:
        return bool(self.changed) and not self.is_new

    def refuse(self, column: str, words: Any) -> None:
        """Say what is wrong in a column, unless something is already."""
        self.errors.setdefault(column, str(words))

    def put(self, obj: Model, values: dict[str, Any]) -> None:
        """Set the values on ``obj``, noting which are news, and check it by the model's own rules."""
        self.made, self.is_new = obj, obj._state.adding
        for name, value in values.items():
            if getattr(obj, name) != value:
                self.changed.append(name)
                setattr(obj, name, value)
        try:
            obj.full_clean(validate_unique=False, validate_constraints=False)  # the database has the last word
        except ValidationError as error:
            for name, said in error.message_dict.items():
                self.refuse(name if name in self.cells else next(iter(self.cells)), " ".join(said))


def refuse_doubles(rows: list[Row], key: Any, column: str, words: Any) -> None:
    """Mark each row whose key (None: it has none) an earlier row has had."""
    seen: set[Any] = set()
    for row in rows:
        mark = key(row)
        if mark is not None and mark in seen:
            row.refuse(column, words)
        seen.add(mark)
