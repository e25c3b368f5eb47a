"""What the admin's forms share: names of fields in tables, and one summary of what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.forms.models import BaseInlineFormSet
from django.utils.text import capfirst
from django.utils.translation import ngettext_lazy

TOO_FEW = {"too_few_forms": ngettext_lazy("Fill in at least %(num)d row.", "Fill in at least %(num)d rows.", "num")}

if TYPE_CHECKING:
    _InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _InlineFormSet = BaseInlineFormSet


class LabelledRows(_InlineFormSet):
    """The fields of a table have no labels of their own; a screen reader hears the name of the column."""

    default_error_messages = {**BaseInlineFormSet.default_error_messages, **TOO_FEW}

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            if not field.widget.is_hidden:
                # The select itself where Django has wrapped it in links to the row that is chosen.
                getattr(field.widget, "widget", field.widget).attrs["aria-label"] = field.label


class ZoneSelect(forms.Select):
    """Time zones by the IANA's names, those that are named by a place; and what was chosen before, whatever it is.

    ``empty``: what it means to choose none, where that can be.
    """

    ELSEWHERE = ("Etc/", "SystemV/", "US/")

    def __init__(self, *, empty: str) -> None:
        super().__init__()
        self.empty = empty

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> Any:
        places = {zone for zone in available_timezones() if "/" in zone and not zone.startswith(self.ELSEWHERE)}
        zones = sorted(places | {one for one in value if one})
        self.choices = [("", self.empty)] * bool(self.empty) + [(zone, zone.replace("_", " ")) for zone in zones]
        return super().optgroups(name, value, attrs)


def problems_of(form: Any, inlines: Any) -> dict[str, Any]:
    """What is wrong with what was typed, for ``_errors.html``: by field, and of the whole."""
    found, general = _problems_of(form.form)
    for inline in inlines:
        general += inline.formset.non_form_errors()
        for row in inline.formset.forms:
            at_fields, of_row = _problems_of(row)
            found += at_fields
            general += of_row
    return {"found": found, "general": general}


def _problems_of(form: Any) -> tuple[list[tuple[str, str]], list[str]]:
    shown = [field for field in form.visible_fields() if field.errors]
    hidden = [error for field in form.hidden_fields() for error in field.errors]
    found = [(field.auto_id, f"{capfirst(field.label)}: {error}") for field in shown for error in field.errors]
    return found, [*form.non_field_errors(), *hidden]
