"""Whether resources are FHIR R4: by the official JSON schema where there is a copy of it, and by another reader always.

fhirclient's models are made of the 4.0.1 definitions: cardinalities, types, unknown elements; the schema knows the
codes besides. fhir.resources would not do: it has R4B, and takes any status.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from fhirclient.models.fhirelementfactory import FHIRElementFactory
from jsonschema import Draft6Validator

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(os.environ.get("FHIR_R4_SCHEMA") or ROOT.parent / "shared/data/fhir-r4/fhir.schema.json")


def check_read(resource: dict[str, Any]) -> None:
    """Another program reads it, and gives it back the same. Raises FHIRValidationError."""
    read = FHIRElementFactory.instantiate(resource["resourceType"], resource)
    assert read.as_json() == resource


def check_schema(resource: dict[str, Any]) -> None:
    """Each resource by its own definition: the schema's choice among all 148 takes seconds."""
    if resource["resourceType"] == "Bundle":
        for entry in resource["entry"]:
            check_schema(entry["resource"])
        resource = resource | {"entry": [{"fullUrl": entry["fullUrl"]} for entry in resource["entry"]]}
    found = _validator(resource["resourceType"]).iter_errors(resource)
    errors = [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in found]
    assert not errors, errors


@cache
def _validator(kind: str) -> Draft6Validator:
    return Draft6Validator({"$ref": f"#/definitions/{kind}", "definitions": definitions()})


@cache
def definitions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text())["definitions"]
    return found


def references(value: Any) -> set[str]:
    """Every literal reference in a resource or a Bundle."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if isinstance(value, dict):
        own = {value["reference"]} if isinstance(value.get("reference"), str) else set()
        return own.union(*map(references, value.values()))
    return set()
