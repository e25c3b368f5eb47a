"""Template tags of every page: icons, form fields, error summaries. Built in, no ``{% load %}``."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField, CheckboxInput
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from visits.schedule.moment import Moment, of_page

register = template.Library()


def _read_icons(path: Path) -> dict[str, str]:
    symbols = re.findall(r'<symbol id="([\w-]+)"[^>]*>(.*?)</symbol>', path.read_text(), re.DOTALL)
    return dict(symbols)


ICONS = _read_icons(settings.BASE_DIR / "static" / "img" / "icons.svg")


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """The line icon ``name`` of static/img/icons.svg, inline and hidden from readers: a word stands beside it.

    Raises KeyError for an unknown name. ``classes`` are added to ``i``.
    """
    return format_html(
        '<svg class="i {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        classes,
        mark_safe(ICONS[name]),  # noqa: S308 - our own file
    )


@register.inclusion_tag("_field.html")
def field(bound: BoundField, **attrs: Any) -> dict[str, Any]:
    """A labelled field with hint and error. Keywords become attributes of the control (``_`` reads as ``-``)."""
    widget = bound.field.widget
    names = {name.replace("_", "-"): value for name, value in attrs.items()}
    is_check = isinstance(widget, CheckboxInput)
    if not is_check:
        bad = " input-bad" if bound.errors else ""
        names["class"] = f"input{bad} {widget.attrs.get('class', '')} {names.get('class', '')}".strip()
    return {"field": bound, "control": bound.as_widget(attrs=names), "is_check": is_check}


@register.inclusion_tag("_errors.html")
def errors(*forms: BaseForm, named: bool = False) -> dict[str, Any]:
    """The error summary of the forms: nothing when there is none, else a list with links to the fields.

    ``named``: each message with the field's label before it, where it does not say by itself what it is about.
    """
    found = [
        (first_input(bound), f"{capfirst(bound.label)}: {message}" if named else message)
        for form in forms
        for bound in form
        for message in bound.errors
    ]
    general = [message for form in forms for message in form.non_field_errors()]
    return {"found": found, "general": general}


def first_input(bound: BoundField) -> str:
    """The id of a field's input; of radios and boxes, which have no label in common, the first."""
    return bound.id_for_label or f"{bound.auto_id}_0"


# Django's picture of a yes or a no; its alt text is Python's own word.
_BOOLEAN = re.compile(r'<img src="[^"]*icon-(?:yes|no|unknown)[^"]*" alt="(True|False|None)">')


@register.filter
def said(html: str) -> SafeString:
    """What the admin shows of a row, with words in place of Django's pictures of yes and no."""
    words = {
        "True": format_html('<span class="said">{}{}</span>', icon("check"), _("Yes")),
        "False": format_html('<span class="said said-no">{}</span>', _("No")),
        "None": format_html('<span class="said said-no">{}</span>', _("Unknown")),
    }
    return mark_safe(_BOOLEAN.sub(lambda found: words[found[1]], html))  # noqa: S308 - Django's, and our own words


@register.filter
def under(cells: Iterable[str], headers: list[dict[str, Any]]) -> Iterator[SafeString]:
    """The cells of a row of an admin list, each with the name of its column and in words."""
    for cell, header in zip(cells, headers, strict=True):
        name = "" if "action-checkbox" in header["class_attrib"] else capfirst(header["text"])
        yield mark_safe(said(cell).replace(" class=", format_html(' data-label="{}" class=', name), 1))  # noqa: S308 - Django's


@register.filter
def initials(name: str) -> str:
    """At most two letters for a person without a picture: "Dr. Amara Okafor" becomes "AO"."""
    words = [word for word in name.split() if not word.endswith(".")]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.filter
def tel(number: str) -> str:
    """A phone number as a tel: link wants it: digits and a leading plus."""
    return re.sub(r"(?!^\+)\D", "", number)


@register.filter
def whole(text: str, number: str = "") -> SafeString:
    """The text, in which the phone number is never broken over two lines; without a ``number`` the text is one."""
    escaped = escape(number or text)
    kept = format_html('<span class="nowrap">{}</span>', escaped)
    return mark_safe(escape(text).replace(escaped, kept))  # noqa: S308 - all of it is escaped


@register.filter
def as_time(instant: datetime) -> str:
    """By the reader's clock and language: "10:30 am"."""
    return _moment(instant).time


@register.filter
def as_exact_time(instant: datetime) -> str:
    """By the reader's clock and language, to the second: "10:30:05 am"."""
    return _moment(instant).exact_time


@register.filter
def as_month_day(instant: datetime) -> str:
    """By the reader's calendar and language: "Nov 24"."""
    return _moment(instant).month_day


@register.filter
def as_day(instant: datetime) -> str:
    """By the reader's calendar and language: "Tuesday, November 24"."""
    return _moment(instant).day


@register.filter
def as_short_day(instant: datetime) -> str:
    """By the reader's calendar and language: "Tue, Nov 24"."""
    return _moment(instant).short_day


@register.filter
def as_zone(instant: datetime) -> str:
    """Which clock that is: "Central Time (CT)"."""
    moment = _moment(instant)
    return moment.zone_name if moment.zone_name == moment.zone_code else f"{moment.zone_name} ({moment.zone_code})"


@register.filter
def as_zone_code(instant: datetime) -> str:
    """Which clock that is, in letters: "CT"."""
    return _moment(instant).zone_code


def _moment(instant: datetime) -> Moment:
    # Its key: its "name" is an offset where the clocks never change (Etc/GMT+9).
    return of_page(instant, str(timezone.get_current_timezone()))
