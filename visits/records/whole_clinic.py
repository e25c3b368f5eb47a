"""Everything that a clinic has about its patients, as NDJSON for other systems (FHIR R4; Bulk Data's format)."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.keys.rows import batches
from accounts.models import Clinic, Patient
from visits.records.fhir import Resource
from visits.records.making import resources_of

BATCH = 50
# The same for all patients, so it is there once.
SHARED = {"Organization", "Practitioner"}


class Exists(Exception):
    """There is a file of that name."""


def export(clinic: Clinic, file: Path, progress: Callable[[int, int], object] = lambda done, of: None) -> Counter[str]:
    """Write ``file``, a ZIP with ``<type>.ndjson`` for each type; returns how many resources of each.

    Whole or not at all: it is made beside its place, readable by its owner alone, and gets its name at the end. Memory
    is that of one patient. ``progress`` hears after each batch how many of how many patients are done. Raises Exists,
    OSError.
    """
    if file.exists():
        raise Exists
    patients = Patient.objects.filter(clinic=clinic, erased_at=None).select_related("clinic")
    of = patients.count()
    record("clinic.export", Audit.EXECUTE, clinic=clinic, entity=clinic, detail={"patients": of})
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder, ExitStack() as opened:
        parts: dict[str, IO[str]] = {}
        seen: set[str] = set()
        done = 0
        for batch in batches(patients, BATCH):
            for one in _fresh(batch, seen):
                kind = one["resourceType"]
                if kind not in parts:
                    parts[kind] = opened.enter_context((Path(folder) / f"{kind}.ndjson").open("w", encoding="utf-8"))
                parts[kind].write(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n")
                counts[kind] += 1
            done += len(batch)
            progress(done, of)
        for part in parts.values():
            part.close()
        _pack(Path(folder), file)
    return counts


def _fresh(batch: list[Patient], seen: set[str]) -> Iterator[Resource]:
    for patient in batch:
        for one in resources_of(patient):
            key = f"{one['resourceType']}/{one['id']}"
            if one["resourceType"] in SHARED:
                if key in seen:
                    continue
                seen.add(key)
            yield one


def _pack(folder: Path, file: Path) -> None:
    packed = folder / "packed"
    descriptor = os.open(packed, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as target, ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for part in sorted(folder.glob("*.ndjson")):
            archive.write(part, part.name)
    try:
        os.link(packed, file)  # unlike a rename it never replaces what somebody put there meanwhile
    except FileExistsError:
        raise Exists from None
