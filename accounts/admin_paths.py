"""The paths by which the admin names things: from a row to its clinic or patient, and in filters of lists."""

from typing import Any

from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Model


def walk(obj: Any, path: str) -> Any:
    """Follow a lookup path such as ``appointment__clinic`` over attributes; None where one is empty."""
    for name in path.split("__"):
        obj = getattr(obj, name, None)
        if obj is None:
            return None
    return obj


def filter_name(one: Any) -> str:
    """By which lookup an item of ``list_filter`` is asked for."""
    if isinstance(one, type):
        return str(getattr(one, "parameter_name", ""))
    return str(one if isinstance(one, str) else one[0])


def is_relation(model: type[Model], path: str) -> bool:
    """Whether the lookup leads to other rows; not so of what is no lookup at all."""
    try:
        return bool(get_fields_from_path(model, path)[-1].is_relation)
    except FieldDoesNotExist:
        return False


def is_to_many(model: type[Model], path: str) -> bool:
    """Whether one row may lead to several by the lookup."""
    if path == "pk":
        return False
    return any(
        isinstance(field, models.ManyToManyField) or getattr(field, "one_to_many", False)
        for field in get_fields_from_path(model, path)
    )
