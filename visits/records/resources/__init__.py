"""A patient's record as FHIR R4 resources, and in words."""

from visits.records.resources import (  # noqa: F401, I001 - in the order of the page
    people,
    accounts,
    related_persons,
    appointments,
    encounters,
    consents,
    intake,
    check_ins,
    summaries,
    messages,
    looks,
)
from visits.records.resources.registry import KINDS, Entry, Facts, Kind, Layout

__all__ = ["KINDS", "Entry", "Facts", "Kind", "Layout"]
