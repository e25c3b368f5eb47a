"""Files of people: comma-separated text (RFC 4180), read with suspicion and written so that no spreadsheet runs it."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

from django.utils.translation import gettext as _

from accounts.audit.export import FORMULA, defused

# Both the file and, once it was checked, its text in a form must stay below what the server takes of any form.
MAX_BYTES = 700_000
MAX_ROWS = 5000
MAX_CELL = 500
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .ods and any other ZIP; .xls
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")  # those that pictures, archives and programs have, and no text


class Unreadable(Exception):
    """The file is none that we take; says why, in words for who chose it."""


def text_of(content: bytes) -> str:
    """What is in an uploaded file: UTF-8, or UTF-16 as some spreadsheets write it. Raises Unreadable."""
    if content.startswith(SPREADSHEETS):
        raise Unreadable(_("This is a spreadsheet or an archive. Save the list as CSV (UTF-8) and choose that file."))
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if CONTROLS.search(content.decode(encoding, errors="replace")):
        raise Unreadable(_("This is no text. Save the list as CSV (UTF-8) and choose that file."))
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(_("The letters of this file cannot be read. Save it as CSV (UTF-8).")) from None


def rows_of(text: str, columns: Sequence[str], required: Iterable[str]) -> list[dict[str, str]]:
    """The rows below the headings, by column; cells are trimmed, and empty where a row is short. Raises Unreadable."""
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(StringIO(text), delimiter=separator, strict=True) if any(line)]
    except csv.Error:
        raise Unreadable(_("The file breaks off, or a quotation mark is missing.")) from None
    if not lines:
        raise Unreadable(_("The file is empty."))
    headings = [cell.strip().lower() for cell in lines[0]]
    unknown = [cell for cell in headings if cell not in columns]
    missing = [name for name in required if name not in headings]
    if unknown or missing or len(set(headings)) < len(headings):
        known = ", ".join(columns)
        raise Unreadable(_("The first line must name the columns, each once: %(columns)s.") % {"columns": known})
    if len(lines) - 1 > MAX_ROWS:
        raise Unreadable(_("Too many rows. Split the file: %(count)s at most.") % {"count": MAX_ROWS})
    if any(len(line) > len(headings) for line in lines):
        raise Unreadable(_("A row has more cells than there are headings. Put quotation marks around commas in names."))
    return [dict.fromkeys(columns, "") | dict(zip(headings, map(_plain, line), strict=False)) for line in lines[1:]]


def written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows as the text of a file that ``rows_of`` reads back."""
    text = StringIO()
    csv.writer(text).writerows([columns, *([defused(cell) for cell in row] for row in rows)])
    return text.getvalue()


def _plain(cell: str) -> str:
    """What was meant: without the apostrophe that ``written`` puts before what looks like a formula."""
    cell = cell.strip()[: MAX_CELL + 1]
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
