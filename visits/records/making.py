"""The file that a person gets: a FHIR Bundle, and the same in words, in English and in Spanish, in one ZIP."""

from collections.abc import Callable, Iterable
from io import BytesIO
from json import dumps
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from accounts.models import Patient
from visits.records.fhir import Resource, bundle
from visits.records.resources import KINDS, Entry, Kind, Layout
from visits.schedule.moment import of_page

STYLE = Path(__file__).with_name("copy.css")
LANGUAGES = [code for code, _name in settings.LANGUAGES]


def copy_of(patient: Patient, progress: Callable[[int], object] = lambda percent: None) -> bytes:
    """A ZIP file with ``record.json`` (FHIR R4 Bundle) and a page for each language.

    ``progress`` hears after each kind of thing how many percent are done.
    """
    read: list[tuple[Kind, list[Entry]]] = []
    # What has no words of its own in FHIR is in English there.
    with translation.override("en"):
        for number, kind in enumerate(KINDS, 1):
            read.append((kind, list(kind.entries(patient))))
            progress(90 * number // len(KINDS))
        whole = bundle(entry.resource for _kind, entries in read for entry in entries)
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as packed:
        packed.writestr("record.json", dumps(whole, ensure_ascii=False, indent=1))
        for language in LANGUAGES:
            packed.writestr(f"record-{language}.html", page_of(patient, read, language))
    return file.getvalue()


def page_of(patient: Patient, read: Iterable[tuple[Kind, list[Entry]]], language: str) -> str:
    """The record as a page that needs nothing from anywhere."""
    with translation.override(language):
        sections = []
        for kind, entries in read:
            rows = [entry.facts() for entry in entries if entry.facts]
            sections.append({"title": kind.title, "is_table": kind.layout == Layout.TABLE, "rows": rows})
        context = {
            "patient": patient,
            "language": language,
            "sections": sections,
            "made": of_page(timezone.now(), patient.clinic.time_zone),
            "zone": of_page(timezone.now(), patient.home_zone).zone_name,
            "style": format_html("<style>{}</style>", mark_safe(STYLE.read_text())),  # noqa: S308 - ours
        }
        return render_to_string("records/copy.html", context)


def resources_of(patient: Patient) -> Iterable[Resource]:
    """Everything of the record as FHIR R4, one after the other."""
    with translation.override("en"):
        for kind in KINDS:
            for entry in kind.entries(patient):
                yield entry.resource
