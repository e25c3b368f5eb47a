"""Moments in the names of rows, as the administration shows them and the trail does."""

from datetime import datetime

from django.utils import timezone


def stamp(moment: datetime) -> str:
    """By the reader's clock, and which clock that is: "2026-12-04 15:20 CST"."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"
