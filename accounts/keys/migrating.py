"""Migrations that encrypt columns that were plain, and take it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from accounts.keys.fields import columns
from accounts.keys.rows import batches


def encrypt(app: str, model: str, **fields: models.Field[Any, Any]) -> list[Operation]:
    """Operations that seal the columns of ``model`` which ``fields`` replaces, and the other way what opens them.

    Fields that the model has not had before (hashes) are added and filled with the others. Take constraints and
    indexes that name a column away before, and add them anew after.
    """
    hashes = [name for name, field in fields.items() if hasattr(field, "source")]
    names = [name for name in fields if name not in hashes]
    return [
        *(migrations.RenameField(model, name, _plain(name)) for name in names),
        *(migrations.AddField(model, name, _empty(field), preserve_default=False) for name, field in fields.items()),
        migrations.RunPython(_seal(app, model, names), _open(app, model, names)),
        *(migrations.RemoveField(model, _plain(name)) for name in names),
    ]


def is_sealed_anew(vendor: str, column: str) -> str:
    """SQL of a trigger: whether a sealed column is as before, or under another key (``rotate_keys``)."""

    def key(row: str) -> str:
        """The id in ``e1:<key id>:<text>`` (accounts.keys.sealing); nothing where the column is empty."""
        value = f"{row}.{column}"
        if vendor == "postgresql":
            return f"split_part({value}, ':', 2)"
        return f"substr({value}, 4, instr(substr({value}, 4), ':') - 1)"

    new, old = f"NEW.{column}", f"OLD.{column}"
    return f"({new} = {old} OR ({new} <> '' AND {old} <> '' AND {key('NEW')} <> {key('OLD')}))"


def _plain(name: str) -> str:
    return f"{name}_plain"


def _empty(field: models.Field[Any, Any]) -> models.Field[Any, Any]:
    with_default = field.clone()
    with_default.default = ""
    return with_default


def _seal(app: str, model: str, names: Iterable[str]) -> Any:
    def forward(apps: Any, schema_editor: Any) -> None:
        for row in _rows(apps, app, model, [_plain(name) for name in names]):
            for name in names:
                setattr(row, name, getattr(row, _plain(name)))
            type(row)._base_manager.filter(pk=row.pk).update(**columns(row, *names))

    return forward


def _open(app: str, model: str, names: Iterable[str]) -> Any:
    def backward(apps: Any, schema_editor: Any) -> None:
        for row in _rows(apps, app, model, names):
            plain = {_plain(name): getattr(row, name) for name in names}
            type(row)._base_manager.filter(pk=row.pk).update(**plain)

    return backward


def _rows(apps: Any, app: str, model: str, names: Iterable[str]) -> Any:
    """Those with anything in these columns."""
    rows = apps.get_model(app, model)._base_manager.exclude(**dict.fromkeys(names, ""))
    for batch in batches(rows):
        yield from batch
