"""The visits of the whole clinic's week: as HTML by hand, since there may be thousands of them."""

import uuid
from functools import cache

from django import template
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from visits.calendar import words
from visits.calendar.columns import Column
from visits.calendar.page import CalendarPage
from visits.calendar.reading import KINDS

register = template.Library()

LINE = '<li><a class="line ev-{} ty-{}" href="{}">{}<span>{} {}</span><span class="vh">, {}, {}</span></a></li>'


@register.simple_tag
def visit_lines(column: Column, page: CalendarPage) -> SafeString:
    """A line for each visit of the column: silhouette, time and patient; hidden words for state and type."""
    before, after = _address()
    states = {kind: word for kind, word, _icon in page.kinds}
    return format_html_join(
        "",
        LINE,
        (
            (
                visit.kind,
                visit.visit_type.colour,
                f"{before}{visit.pk}{after}",
                _icon(KINDS[visit.kind][1]),
                words.clock(visit.start.astimezone(page.zone)),
                visit.patient,
                states[visit.kind],
                visit.visit_type.name,
            )
            for visit in column.visits
        ),
    )


@cache
def _address() -> tuple[str, str]:
    """What stands before and after the id in the address of a visit."""
    nobody = uuid.UUID(int=0)
    before, after = reverse("room:visit", kwargs={"pk": nobody}).split(str(nobody))
    return before, after


@cache
def _icon(name: str) -> SafeString:
    tag = template.engines["django"].from_string("{% icon name %}")
    return mark_safe(tag.render({"name": name}))  # noqa: S308 - our own icon
