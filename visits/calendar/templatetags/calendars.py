"""The visits of the whole clinic's week: as HTML by hand, since there may be thousands of them."""

from datetime import datetime
from html import escape

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from visits.calendar import words
from visits.calendar.addresses import around
from visits.calendar.columns import Column
from visits.calendar.once import Made
from visits.calendar.page import CalendarPage
from visits.calendar.reading import KINDS

register = template.Library()


class Lines:
    """Writes the visits of the page's columns, what many of them share once."""

    def __init__(self, page: CalendarPage) -> None:
        self.clocks: Made[datetime, str] = Made(lambda start: words.clock(start.astimezone(page.zone)))
        self.icons = Made(_icon)
        self.marks = Made(self._marks)

    def of(self, column: Column) -> SafeString:
        """A line for each visit: silhouette, time and patient; hidden words for state and type."""
        before, after = around("room:visit")
        lines = []
        for visit in column.visits:
            opening, silhouette, hidden = self.marks[visit.kind, visit.visit_type.colour, visit.visit_type.name]
            clock, name = self.clocks[visit.start], escape(visit.patient)
            # Of all that stands between the marks only the name comes from people.
            lines.append(f'{opening}{before}{visit.pk}{after}">{silhouette}<span>{clock} {name}</span>{hidden}')
        return mark_safe("".join(lines))  # noqa: S308 - escaped above

    def _marks(self, key: tuple[str, str, str]) -> tuple[str, str, str]:
        """What visits of one state and type share: the parts before, in the midst of, and after their own."""
        kind, colour, type_name = key
        state, icon = KINDS[kind]
        return (
            format_html('<li><a class="line ev-{} ty-{}" href="', kind, colour),
            self.icons[icon],
            format_html('<span class="vh">, {}, {}</span></a></li>', state, type_name),
        )


@register.simple_tag
def lines_of(page: CalendarPage) -> Lines:
    return Lines(page)


@register.simple_tag
def visit_lines(column: Column, lines: Lines) -> SafeString:
    return lines.of(column)


def _icon(name: str) -> SafeString:
    tag = template.engines["django"].from_string("{% icon name %}")
    return mark_safe(tag.render({"name": name}))  # noqa: S308 - our own icon
