"""Values and references as FHIR R4 (4.0.1) writes them in JSON."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

Resource = dict[str, Any]

BCP_47 = "urn:ietf:bcp:47"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION_MODE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
APPOINTMENT_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0276"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC = "http://loinc.org"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
SECOND_FACTOR = "urn:telehealth:second-factor"  # an extension of ours: FHIR has nothing for it
TIME_ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"


def resource(kind: str, pk: uuid.UUID | str, **elements: Any) -> Resource:
    """A resource of ``elements``, without those that are empty: FHIR knows no null and no empty list."""
    filled = {name: value for name, value in elements.items() if value not in (None, "", [], {})}
    return {"resourceType": kind, "id": str(pk), **filled}


def reference(kind: str, pk: uuid.UUID | str) -> dict[str, str]:
    return {"reference": f"{kind}/{pk}"}


def instant(moment: datetime | None) -> str | None:
    """With offset, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def period(start: datetime | None, end: datetime | None) -> dict[str, str]:
    return {name: text for name, text in (("start", instant(start)), ("end", instant(end))) if text}


def coding(system: str, code: str, display: str = "") -> dict[str, str]:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: dict[str, str], text: str = "") -> dict[str, Any]:
    return ({"coding": list(codings)} if codings else {}) | ({"text": text} if text else {})


def bundle(resources: Iterable[Resource]) -> Resource:
    """A collection. References between resources are relative to where the clinic's FHIR interface is, or would be."""
    base = f"{settings.BASE_URL}/fhir"
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "type": "collection",
        "timestamp": instant(timezone.now()),
        "entry": [{"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one} for one in resources],
    }
