"""A patient's record as FHIR R4 resources, and in words."""

from visits.records.resources import people, appointments, encounters, consents, check_ins, summaries, messages, looks  # noqa: F401, I001
from visits.records.resources.registry import KINDS, Entry, Facts, Kind, Layout

__all__ = ["KINDS", "Entry", "Facts", "Kind", "Layout"]
