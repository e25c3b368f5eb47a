"""What a record is made of. Each kind of thing has a file of its own beside this one, registered by it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise

from accounts.models import Patient
from visits.records.fhir import Resource

# Label and value, in the language that is active.
Facts = list[tuple[str, str]]


class Layout(StrEnum):
    """How a kind stands on the readable page."""

    CARDS = "cards"  # each thing by itself
    TABLE = "table"  # a row each: all have the same labels


@dataclass(frozen=True)
class Entry:
    """One thing of a record: as FHIR R4, and in words; without ``facts`` it is not on the readable page."""

    resource: Resource
    facts: Callable[[], Facts] | None = None


@dataclass(frozen=True)
class Kind:
    title: Promise
    layout: Layout
    entries: Callable[[Patient], Iterator[Entry]]


KINDS: list[Kind] = []


def exported(
    title: Promise, layout: Layout = Layout.CARDS
) -> Callable[[Callable[[Patient], Iterator[Entry]]], Callable[[Patient], Iterator[Entry]]]:
    """Register what reads one kind of thing of a patient's record; kinds come in the order of registration."""

    def register(entries: Callable[[Patient], Iterator[Entry]]) -> Callable[[Patient], Iterator[Entry]]:
        KINDS.append(Kind(title, layout, entries))
        return entries

    return register
