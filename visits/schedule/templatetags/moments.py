"""Dates in words, for templates."""

from datetime import date

from babel.dates import format_date
from django import template
from django.utils.translation import get_language

register = template.Library()


@register.filter
def date_words(day: date | None) -> str:
    """Apr 30, 1985, in the page's language; nothing for None."""
    return str(format_date(day, "medium", locale=(get_language() or "en")[:2])) if day else ""
