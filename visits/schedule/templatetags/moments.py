"""Dates in words, for templates."""

from datetime import date

from babel.dates import format_date
from django import template

from accounts.language import page_language

register = template.Library()


@register.filter
def date_words(day: date | None) -> str:
    """Apr 30, 1985, in the page's language; nothing for None."""
    return str(format_date(day, "medium", locale=page_language())) if day else ""
