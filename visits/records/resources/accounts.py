"""Person: the patient's account, and how they sign in. AuditEvent: what they did at it. No secret of either."""

from collections.abc import Iterator
from functools import partial

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.mfa.factors import Factor, factors_of
from accounts.models import AuditEvent, Patient, User
from visits.records.fhir import DICOM, SECOND_FACTOR, Resource, coding, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, Layout, exported
from visits.schedule.moment import of_page

BATCH = 500
WORDS: dict[str, Promise] = {
    "account.claim": gettext_lazy("Account made"),
    "account.end": gettext_lazy("Account ended"),
    "mfa.enrol": gettext_lazy("Second factor added"),
    "mfa.remove": gettext_lazy("Second factor removed"),
    "user.signin": gettext_lazy("Signed in"),
    "user.signout": gettext_lazy("Signed out"),
}


@exported(gettext_lazy("Your account"))
def account(patient: Patient) -> Iterator[Entry]:
    own = User.objects.filter(patient=patient).first()
    if own is not None:
        factors = factors_of(own)
        yield Entry(_person(patient, own, factors), partial(_facts, patient, own, factors))


@exported(gettext_lazy("What you did at your account"), Layout.TABLE)
def deeds(patient: Patient) -> Iterator[Entry]:
    events = AuditEvent.objects.filter(user__patient=patient, subtype__in=WORDS).order_by("id")
    for event in events.iterator(chunk_size=BATCH):
        yield Entry(_event(patient, event), partial(_event_facts, patient, event))


def _person(patient: Patient, own: User, factors: list[Factor]) -> Resource:
    return resource(
        "Person",
        own.pk,
        meta={"lastUpdated": instant(own.date_joined)},
        extension=[_extension(factor) for factor in factors],
        active=own.is_active,
        managingOrganization=reference("Organization", patient.clinic_id),
        link=[{"target": reference("Patient", patient.pk)}],
    )


def _extension(factor: Factor) -> Resource:
    said = [{"url": "kind", "valueCode": str(factor.kind)}, {"url": "name", "valueString": factor.name}]
    since = [{"url": "since", "valueDateTime": instant(factor.made)}] if factor.made else []
    return {"url": SECOND_FACTOR, "extension": said + since}


def _facts(patient: Patient, own: User, factors: list[Factor]) -> Facts:
    made = of_page(own.date_joined, patient.home_zone).full_date
    return [
        (_("Made on"), made),
        (_("Ended"), "" if own.is_active else _("Yes")),
        *((str(factor.kind.label), factor.name) for factor in factors),
    ]


def _event(patient: Patient, event: AuditEvent) -> Resource:
    network = {"network": {"address": event.address, "type": "2"}} if event.address else {}
    return resource(
        "AuditEvent",
        event.uid,
        type=coding(DICOM, "110114", "User Authentication"),
        subtype=[{"code": event.subtype, "display": str(WORDS[event.subtype])}],
        action=event.action,
        recorded=instant(event.recorded),
        outcome=event.outcome,
        agent=[{"who": reference("Patient", patient.pk), "requestor": True, **network}],
        source={"observer": reference("Organization", patient.clinic_id)},
    )


def _event_facts(patient: Patient, event: AuditEvent) -> Facts:
    at, was_refused = of_page(event.recorded, patient.home_zone), event.outcome != AuditEvent.Outcome.SUCCESS
    return [
        (_("When"), f"{at.full_date}, {at.exact_time}"),
        (_("What"), f"{WORDS[event.subtype]} ({_('refused')})" if was_refused else str(WORDS[event.subtype])),
        (_("From which address"), event.address or ""),
    ]
