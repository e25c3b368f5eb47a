"""How the admin's index is ordered: by what people come to do, not by where the code of it is."""

from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Section(TextChoices):
    """The parts of the index, in the order of the page."""

    PEOPLE = "people", _("People")
    SCHEDULE = "schedule", _("Schedule")
    VISITS = "visits", _("Visits and messages")
    TEXTS = "texts", _("Texts and forms")
    SAFETY = "safety", _("Safety")
    MACHINE = "machine", _("Machine")


class Page(NamedTuple):
    """A page on the index that is no list: ``url`` is its name in the admin's own address space."""

    section: Section
    url: str
    name: Any
    about: Any


class Step(NamedTuple):
    """What a new clinic needs before its first visit: ``place`` in the order, ``words`` for what to do."""

    place: int
    words: Any
