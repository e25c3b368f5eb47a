"""Who acts for a patient, for how much and how long; what the service and the database refuse."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from accounts.links.services import hash_token
from accounts.models import AccessLink, AuditEvent, RelatedPerson
from accounts.policy import PERMISSIONS, PROXY_ACTIONS, Action, Role
from accounts.proxies import services
from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.proxies.conftest import HONOLULU, instant
from tests.threads import at_once
from visits.booking.access import appointment_for

pytestmark = pytest.mark.django_db


def parent_of(patient, **fields):
    """Not saved: a parent's grant."""
    defaults = {
        "given_name": "Ana",
        "family_name": "Ruiz",
        "relationship": "MTH",
        "basis": "minor",
        "email": "ana@example.org",
        "valid_from": date(2020, 1, 1),
    }
    return RelatedPerson(patient=patient, **defaults | fields)


def born(patient, day):
    patient.birth_date = date.fromisoformat(day)
    patient.save()
    return patient


# --- the age of majority -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birth", "of_age"),
    [
        ("2009-06-03", "2027-06-03"),
        ("2008-02-29", "2026-03-01"),  # there is no 29 February in 2026
        ("2008-02-28", "2026-02-28"),
        ("2008-03-01", "2026-03-01"),
    ],
)
def test_a_parents_grant_ends_on_the_birthday_in_the_patients_zone(patient, desk, birth, of_age):
    """Row 31 of the checklist: the birthday boundary in the patient's zone, 29 February among them."""
    patient = born(patient, birth)
    patient.time_zone = "Pacific/Honolulu"
    patient.save()
    ana = services.grant(principal=desk, person=parent_of(patient))

    last = instant(f"{of_age}T00:00", HONOLULU) - timedelta(seconds=1)

    assert patient.of_age_on == date.fromisoformat(of_age)
    assert ana.is_active(last)
    assert not ana.is_active(last + timedelta(seconds=1))
    assert ana.valid_until == date.fromisoformat(of_age) - timedelta(days=1)


@pytest.mark.parametrize("years", [18, 19, 21])
def test_the_clinic_says_at_what_age(patient, desk, years):
    patient = born(patient, "2009-06-03")
    patient.clinic.age_of_majority = years
    patient.clinic.save()

    ana = services.grant(principal=desk, person=parent_of(patient))

    assert ana.ends_after == date(2009 + years, 6, 2)


def test_a_birth_date_that_is_corrected_counts_at_once(patient, desk):
    """What is written in the grant is what was thought then; who asks goes by the birth date."""
    born(patient, "2009-06-03")
    ana = services.grant(principal=desk, person=parent_of(patient))
    born(patient, "2007-06-03")

    ana = RelatedPerson.objects.get(pk=ana.pk)

    assert ana.valid_until == date(2027, 6, 2)
    assert ana.ends_after == date(2025, 6, 2)
    assert not ana.is_active(instant("2025-06-03T00:00"))
    assert ana.is_active(instant("2025-06-02T23:59"))


def test_an_adults_grant_does_not_end_by_itself(patient, desk):
    ana = services.grant(principal=desk, person=parent_of(patient, basis="patient"))

    assert ana.valid_until is None
    assert ana.is_active(instant("2090-01-01T00:00"))


def test_nobody_becomes_a_parents_proxy_of_an_adult(patient, desk):
    with pytest.raises(services.OfAge) as refused:
        services.grant(principal=desk, person=parent_of(patient, valid_from=None))

    assert refused.value.since == date(1997, 3, 14)
    assert not RelatedPerson.objects.exists()


def test_staff_see_sixty_days_before_that_it_ends(patient, desk):
    born(patient, "2009-06-03")
    ana = services.grant(principal=desk, person=parent_of(patient))

    assert services.days_left(ana, instant("2027-04-03T12:00")) is None
    assert services.days_left(ana, instant("2027-04-04T12:00")) == 60
    assert services.days_left(ana, instant("2027-06-02T12:00")) == 1
    assert services.days_left(ana, instant("2027-06-03T12:00")) is None


# --- what the database refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        {"valid_from": date(2026, 5, 2), "valid_until": date(2026, 5, 1)},
        {"manages": False, "joins": False, "reads": False},
        {"email": "", "phone": "", "messages": "proxy"},
        {"basis": "because"},
        {"messages": "nobody"},
        {"basis": "minor", "valid_until": None},
        {"revoked_at": timezone.now(), "revoked_by": None},
    ],
)
def test_the_database_refuses_nonsense(patient, nonsense):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_proxy(patient, **nonsense)


@pytest.mark.parametrize(
    ("birth", "last_day"),
    [
        ("2009-06-03", "2027-06-02"),
        ("2008-02-29", "2026-02-28"),
        ("2008-03-01", "2026-02-28"),
        ("2006-03-01", "2024-02-29"),
        ("2006-12-31", "2024-12-30"),
    ],
)
def test_the_database_refuses_a_parents_grant_past_majority(patient, birth, last_day):
    patient, last_day = born(patient, birth), date.fromisoformat(last_day)
    kept = factories.make_proxy(patient, basis="minor", valid_until=last_day)

    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_proxy(patient, basis="minor", valid_until=last_day + timedelta(days=1))
    with pytest.raises(IntegrityError), transaction.atomic():
        RelatedPerson.objects.filter(pk=kept.pk).update(valid_until=last_day + timedelta(days=1))
    assert patient.of_age_on == last_day + timedelta(days=1)


def test_the_database_refuses_a_second_open_grant_of_the_same_person(ana):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_proxy(ana.patient, given_name="ANA", family_name="ruiz")


def test_the_database_refuses_links_that_say_two_things(ana, visit):
    link = make_link(visit)
    for wrong in ({"related_person": ana}, {"kind": "proxy"}, {"kind": "guest", "related_person": ana}):
        with pytest.raises(IntegrityError), transaction.atomic():
            AccessLink.objects.filter(pk=link.pk).update(**wrong)


def test_the_same_person_is_granted_once(patient, desk, ana):
    with pytest.raises(services.AlreadyGranted) as refused:
        services.grant(principal=desk, person=parent_of(patient, basis="patient", given_name="ana "))

    assert refused.value.grant == ana


@pytest.mark.django_db(transaction=True)
def test_one_of_two_who_grant_at_once_wins(patient, desk):
    def grant():
        try:
            services.grant(principal=desk, person=parent_of(patient, basis="patient"))
        except services.AlreadyGranted:
            return "known"
        return "granted"

    assert sorted(at_once([grant, grant])) == ["granted", "known"]


def test_who_was_ended_can_be_granted_anew(patient, desk, ana):
    services.end(principal=desk, person=ana)

    again = services.grant(principal=desk, person=parent_of(patient, basis="patient"))

    assert services.active(patient) == [again]


# --- scopes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("granted", "scope"), [("manages", "manage"), ("joins", "join"), ("reads", "read")])
def test_a_grant_allows_what_it_says_and_nothing_else(allowed, granted, scope):
    who = allowed(**{granted: True})

    assert {action for action in Action if who.may(action)} == PROXY_ACTIONS[scope]


def test_no_grant_allows_what_is_for_staff_or_for_nobody(allowed):
    who = allowed(manages=True, joins=True, reads=True)

    assert {action for action in Action if who.may(action)} == PERMISSIONS[Role.PROXY]
    assert PERMISSIONS[Role.PROXY] <= PERMISSIONS[Role.PATIENT]


def test_all_that_is_done_for_a_patient_says_who_did_it(client, visit, ana):
    link = make_link(visit, proxy=ana)
    client.post(f"/v/{make_token(link)}/", {"birth_date": "3/14/1979"})

    event = AuditEvent.objects.get(subtype="link.redeem")

    assert (event.role, event.patient, event.link) == ("proxy", visit.patient, link)
    assert event.detail["acts_as"] == str(ana.pk)


def make_token(link):
    AccessLink.objects.filter(pk=link.pk).update(token_hash=hash_token("token"))
    return "token"


# --- the end -----------------------------------------------------------------------------------------


def test_an_end_ends_the_links_and_is_on_the_trail(desk, ana, visit):
    link = make_link(visit, proxy=ana)
    other = make_link(visit, proxy=factories.make_proxy(visit.patient))

    services.end(principal=desk, person=ana)
    services.end(principal=desk, person=ana)

    link.refresh_from_db()
    assert link.revoked_at is not None
    assert other.is_live()
    assert not RelatedPerson.objects.get(pk=ana.pk).is_active()
    event = AuditEvent.objects.get(subtype="proxy.end")
    assert (event.user, event.patient, event.detail["links"]) == (desk.user, visit.patient, 1)


def test_a_link_opens_nothing_when_the_grant_has_run_out(ana, visit):
    link = make_link(visit, proxy=ana)
    assert link.is_live()

    RelatedPerson.objects.filter(pk=ana.pk).update(valid_until=timezone.localdate() - timedelta(days=2))

    assert not AccessLink.objects.get(pk=link.pk).is_live()


def test_of_what_was_ended_nothing_changes(desk, ana):
    late = RelatedPerson.objects.get(pk=ana.pk)
    services.end(principal=desk, person=ana)

    late.reads = False
    with pytest.raises(services.Ended):
        services.change(principal=desk, person=late)
    ana.refresh_from_db()
    assert ana.revoked_at is not None


# --- strangers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "clinician", "auditor"])
def test_who_may_not_finds_nothing(request, who, ana, patient):
    principal = staff(request.getfixturevalue(who))

    for attempt in (
        lambda: services.grant(principal=principal, person=parent_of(patient, given_name="Eva", basis="patient")),
        lambda: services.change(principal=principal, person=ana),
        lambda: services.end(principal=principal, person=ana),
    ):
        with pytest.raises(Http404):
            attempt()
    ana.refresh_from_db()
    assert ana.revoked_at is None
    assert RelatedPerson.objects.count() == 1


def test_who_acts_for_a_patient_grants_nothing(as_ana, ana, patient):
    with pytest.raises(Http404):
        services.grant(principal=as_ana, person=parent_of(patient, given_name="Eva", basis="patient"))
    with pytest.raises(Http404):
        services.end(principal=as_ana, person=ana)


def test_another_patients_proxy_has_no_part_in_the_visit(visit, ana, practitioner):
    others = factories.make_visit(practitioner)
    who = bearer(make_link(others, proxy=factories.make_proxy(others.patient)))

    for action in PERMISSIONS[Role.PROXY]:
        with pytest.raises(Http404):
            appointment_for(who, visit.pk, action)
