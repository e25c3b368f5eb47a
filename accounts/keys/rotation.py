"""Bringing every sealed and hashed value to the first key, while the application runs.

Nothing is noted down about how far it came: a value says itself which key it is under, so whoever is killed begins
again and finds what is left. A row is written only if it still has the values that were read; one that the
application has changed meanwhile is under the first key by that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Substr

from accounts.keys import ring, sealing
from accounts.keys.fields import EncryptedTextField, KeyedHashField, columns
from accounts.keys.rows import batches

Field = EncryptedTextField | KeyedHashField
BATCH = 200


def rotate(progress: Callable[[type[models.Model], int, int], None], *, batch: int = BATCH) -> int:
    """Bring all values to the first key; return how many rows were written.

    ``progress(model, done, of)`` is called after each batch, which is a transaction of its own. Raises
    sealing.CannotOpen and ring.UnknownKey at the first value that does not open, after what came before it was done.
    """
    written = 0
    for model, fields in sealed_models():
        rows = _to_rotate(model, fields)
        of, done = rows.count(), 0
        for found in batches(rows, batch):
            with transaction.atomic():
                written += sum(_rotate_row(row, fields) for row in found)
            done += len(found)
            progress(model, done, of)
    return written


def under_keys() -> Counter[str]:
    """How many values are under each key, by its id; keys that are not known to this process too."""
    count: Counter[str] = Counter()
    for model, fields in sealed_models():
        for field in fields:
            rows = model._base_manager.exclude(**{field.name: ""}).order_by()
            start = Substr(field.name, _id_begins(field), 17, output_field=models.TextField())
            for text, many in rows.values_list(start).annotate(many=models.Count("pk")):
                count[text.partition(":")[0]] += many
    return count


def sealed_models() -> Iterator[tuple[type[models.Model], list[Field]]]:
    """Every model with columns under keys, and these."""
    for model in apps.get_models():
        fields: list[Field] = [field for field in model._meta.concrete_fields if isinstance(field, Field)]
        if fields:
            yield model, fields


def _to_rotate(model: type[models.Model], fields: list[Field]) -> QuerySet[Any]:
    old = Q()
    for field in fields:
        old |= ~Q(**{field.name: ""}) & ~Q(**{f"{field.name}__under": _start(field, ring.first().id)})
    return model._base_manager.filter(old)


def _rotate_row(row: models.Model, fields: list[Field]) -> int:
    # As the database has them: reading an attribute opens it.
    before = {field.name: row.__dict__[field.attname] for field in fields}
    return type(row)._base_manager.filter(pk=row.pk, **before).update(**columns(row, *before))


def _start(field: Field, key_id: str) -> str:
    return sealing.prefix(key_id) if isinstance(field, EncryptedTextField) else f"{key_id}:"


def _id_begins(field: Field) -> int:
    return len(_start(field, "")) if isinstance(field, EncryptedTextField) else 1
