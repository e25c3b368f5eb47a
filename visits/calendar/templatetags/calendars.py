"""The visits of the whole clinic's week: as HTML by hand, since there may be thousands of them."""

from functools import cache
from html import escape

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from visits.calendar import words
from visits.calendar.addresses import address_of
from visits.calendar.columns import Column
from visits.calendar.page import CalendarPage
from visits.calendar.reading import KINDS, Visit

register = template.Library()


@register.simple_tag
def visit_lines(column: Column, page: CalendarPage) -> SafeString:
    """A line for each visit of the column: silhouette, time and patient; hidden words for state and type."""
    lines = []
    for visit in column.visits:
        key = visit.kind, visit.visit_type.pk
        if key not in page.marks:
            page.marks[key] = _marks(visit)
        opening, silhouette, hidden = page.marks[key]
        clock, url = words.clock(visit.start.astimezone(page.zone)), address_of("room:visit", visit.pk)
        # Of all that stands between the marks only the name comes from people.
        lines.append(f'{opening}{url}">{silhouette}<span>{clock} {escape(visit.patient)}</span>{hidden}')
    return mark_safe("".join(lines))  # noqa: S308 - escaped above


def _marks(visit: Visit) -> tuple[str, str, str]:
    """What is the same for all visits of a type and state: the parts before, in the midst of, and after their own."""
    state, icon = KINDS[visit.kind]
    return (
        format_html('<li><a class="line ev-{} ty-{}" href="', visit.kind, visit.visit_type.colour),
        _icon(icon),
        format_html('<span class="vh">, {}, {}</span></a></li>', state, visit.visit_type.name),
    )


@cache
def _icon(name: str) -> SafeString:
    tag = template.engines["django"].from_string("{% icon name %}")
    return mark_safe(tag.render({"name": name}))  # noqa: S308 - our own icon
