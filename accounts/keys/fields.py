"""Model fields for what is encrypted at rest, and for finding it again.

A value is sealed for its column and its row when the row is saved, and opened when it is first read from the object:
a query that loads a hundred rows decrypts nothing. Emptiness is no secret: "" stays "".
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from django.core import checks
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact, In, IsNull, Lookup
from django.db.models.query_utils import DeferredAttribute

from accounts.keys import ring, sealing


class Sealed(str):
    """A value as the database has it."""

    __slots__ = ()


class _Opening(DeferredAttribute):
    """Opens a sealed value when it is first asked for."""

    field: EncryptedTextField

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        value = super().__get__(instance, owner)
        if isinstance(value, Sealed):
            value = self.field.opened(instance, value)
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.CharField):  # type: ignore[type-arg]
    """Text of at most ``max_length`` characters that the database sees sealed only.

    ``bound_to`` names what a value may not be moved away from: the row's key, or of rows whose key the database gives
    a column that never changes. A column cannot be searched or sorted by; only whether it is empty can be asked. Values
    are written by saving rows (or ``columns``), since the row must be known.
    """

    descriptor_class = _Opening

    def __init__(self, *args: Any, bound_to: str = "pk", **kwargs: Any) -> None:
        self.bound_to = bound_to
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.bound_to != "pk":
            kwargs["bound_to"] = self.bound_to
        return name, path, args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        found = super().check(**kwargs)
        if self.bound_to == "pk" and self.model._meta.pk.db_returning:
            words = "The database gives the key of new rows: bind to another column (bound_to)."
            found.append(checks.Error(words, obj=self, id="keys.E001"))
        return found

    def get_internal_type(self) -> str:
        return "TextField"

    def db_check(self, connection: Any) -> str:
        """The database takes nothing but what is sealed, whoever writes it."""
        column, start = connection.ops.quote_name(self.column), f"{sealing.VERSION}:"
        return f"{column} = '' OR substr({column}, 1, {len(start)}) = '{start}'"

    def place(self, row: models.Model) -> str:
        """What a value is bound to: "app.model.field/row"."""
        return f"{self.model._meta.label_lower}.{self.name}/{getattr(row, self.bound_to)}"

    def sealed(self, row: models.Model, plain: str | None) -> str | None:
        """Raises ValueError for what is too long: validators are for forms, this is for everybody."""
        if not plain:
            return plain
        if self.max_length is not None and len(plain) > self.max_length:
            raise ValueError(f"{self} takes {self.max_length} characters.")
        return Sealed(sealing.seal(plain, self.place(row)))

    def opened(self, row: models.Model, token: Sealed) -> str:
        """Raises sealing.CannotOpen, ring.UnknownKey."""
        return sealing.open_(token, self.place(row))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Sealed anew at each save, with the key that is first now."""
        return self.sealed(model_instance, getattr(model_instance, self.attname))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return Sealed(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        if not value or isinstance(value, Sealed):
            return value
        raise FieldError(f"{self} is encrypted: it is written by saving its row, and found by its hash.")

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        found = LOOKUPS.get(lookup_name)
        if found is None:
            raise FieldError(f"{self} is encrypted and cannot be asked for by {lookup_name!r}.")
        return found


class Under(Lookup):
    """Whether the column begins with this text: whether it is sealed, or hashed, with one key."""

    lookup_name = "under"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        lhs, params = self.process_lhs(compiler, connection)
        return f"substr({lhs}, 1, {len(self.rhs)}) = %s", [*params, self.rhs]


LOOKUPS: dict[str, type[Lookup[Any]]] = {"exact": Exact, "isnull": IsNull, "under": Under}


class EncryptedEmailField(EncryptedTextField, models.EmailField):  # type: ignore[type-arg]
    """An e-mail address under the rules of EncryptedTextField."""


class KeyedHashField(models.CharField):  # type: ignore[type-arg]
    """A keyed hash of ``normal(row)``, for finding rows by a value that is encrypted in column ``source``.

    It is "<key id>:<HMAC-SHA256>", so that rows are found while keys are being changed:
    ``Patient.objects.filter(email_hash__of="rosa@example.org")``. Nothing without the key can be told from it but
    which rows have the same value. Written with the row; where only some fields are saved, ``source`` must be among
    them (``Searchable``). An empty normal form has no hash, and nobody is found by it.
    """

    def __init__(self, *args: Any, source: str, normal: Callable[[Any], str], **kwargs: Any) -> None:
        self.source, self.normal = source, normal
        super().__init__(*args, **{"max_length": 64, "blank": True, "editable": False} | kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for default in ("max_length", "blank", "editable"):
            kwargs.pop(default, None)
        return name, path, args, kwargs | {"source": self.source, "normal": self.normal}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.hashed(ring.first(), self.normal(model_instance))
        setattr(model_instance, self.attname, value)
        return value

    def hashed(self, key: ring.Key, normal: str) -> str:
        if not normal:
            return ""
        secret = key.hashing(f"{self.model._meta.label_lower}.{self.name}")
        digest = hmac.digest(secret, normal.encode(), sha256)
        return f"{key.id}:{urlsafe_b64encode(digest).decode()}"


@KeyedHashField.register_lookup
class Of(In):
    """The rows whose normal form is this text, with whichever key it was hashed."""

    lookup_name = "of"

    def __init__(self, lhs: Any, rhs: str) -> None:
        super().__init__(lhs, [lhs.output_field.hashed(key, rhs) for key in ring.ring()] if rhs else [])


KeyedHashField.register_lookup(Under)


class Searchable(models.Model):
    """Saves hashes with what they are of."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None:
            update_fields = {*update_fields, *hashes_of(type(self), update_fields)}
        super().save(*args, update_fields=update_fields, **kwargs)


def hashes_of(model: type[models.Model], names: Iterable[str]) -> list[str]:
    """The hash columns that follow from these fields of a model."""
    hashes = [field for field in model._meta.concrete_fields if isinstance(field, KeyedHashField)]
    return [field.name for field in hashes if field.source in set(names)]


def columns(row: models.Model, *names: str) -> dict[str, Any]:
    """What an UPDATE writes for these fields of ``row`` as they are now: sealed, with the hashes that follow."""
    wanted = {*names, *hashes_of(type(row), names)}
    return {field.name: field.pre_save(row, add=False) for field in row._meta.concrete_fields if field.name in wanted}
