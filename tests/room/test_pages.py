"""The room's pages, the page after it, and the record of a visit."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessLink, AuditEvent, User
from accounts.principal import Principal
from tests.party import make_link
from tests.room.conftest import be_here
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn
from visits.room import guests, presence, services
from visits.room.models import Encounter
from visits.waiting.models import Ticket

SignIn = Callable[[User], Client]
Redeem = Callable[[AccessLink], Client]


def path(name: str, visit: Appointment, **more: object) -> str:
    return reverse(f"room:{name}", kwargs={"pk": visit.pk, **more})


# --- who sees what --------------------------------------------------------------------------------

STAFF_PAGES = ["staff", "visit"]
POSTS = ["end", "invite"]


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_staff_pages_want_a_second_factor(
    visit: Appointment, clinician: User, password_only: SignIn, page: str
) -> None:
    for client in (Client(), password_only(clinician)):
        assert client.get(path(page, visit)).url.startswith("/signin/")


@pytest.mark.parametrize("page", POSTS)
def test_nobody_acts_without_a_second_factor(
    visit: Appointment, clinician: User, password_only: SignIn, page: str
) -> None:
    for client in (Client(), password_only(clinician)):
        assert client.post(path(page, visit)).status_code == 403


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_a_stranger_finds_nothing(visit: Appointment, stranger: User, verified: SignIn, page: str) -> None:
    assert verified(stranger).get(path(page, visit)).status_code == 404


@pytest.mark.parametrize("page", POSTS)
def test_a_stranger_can_do_nothing(visit: Appointment, stranger: User, verified: SignIn, page: str) -> None:
    assert verified(stranger).post(path(page, visit)).status_code == 404


def test_an_auditor_sees_no_record(visit: Appointment, auditor: User, verified: SignIn) -> None:
    assert verified(auditor).get(path("visit", visit)).status_code == 403


def test_the_front_desk_has_the_record_but_no_room(visit: Appointment, front_desk: User, verified: SignIn) -> None:
    client = verified(front_desk)

    assert client.get(path("visit", visit)).status_code == 200
    assert client.get(path("staff", visit)).status_code == 403
    assert client.post(path("end", visit)).status_code == 403


def test_a_link_to_another_visit_opens_no_room(
    visit: Appointment, patient_link: AccessLink, redeemed: Redeem, practitioner: object, other_patient: object
) -> None:
    from tests import factories

    other = factories.make_visit(practitioner, patient=other_patient)

    assert redeemed(patient_link).get(path("party", other)).url == reverse("accounts:link-needed")


# --- the room -------------------------------------------------------------------------------------


def test_the_room_of_staff_shows_what_safety_needs(admitted: Appointment, clinician: User, verified: SignIn) -> None:
    CheckIn.objects.create(
        appointment=admitted, location="48 Alder Street", callback_phone="(555) 010-0177", emergency_contact="Luis"
    )

    page = verified(clinician).get(path("staff", admitted)).content.decode()

    for fact in ("Rosa Marín", "Mar 14, 1979", "48 Alder Street", "(555) 010-0177", "Luis", "911"):
        assert fact in page


def test_the_room_of_staff_offers_to_admit_who_waits(visit: Appointment, clinician: User, verified: SignIn) -> None:
    visit.status = Appointment.Status.ARRIVED
    visit.save()
    Ticket.objects.create(appointment=visit)

    page = verified(clinician).get(path("staff", visit)).content.decode()

    assert reverse("waiting:admit", kwargs={"pk": visit.pk}) in page


def test_a_patient_goes_back_to_the_waiting_room_until_let_in(
    visit: Appointment, patient_link: AccessLink, redeemed: Redeem
) -> None:
    response = redeemed(patient_link).get(path("party", visit))

    assert response.url == reverse("waiting:room", kwargs={"pk": visit.pk})


def test_a_patient_enters_once_let_in_and_reads_no_own_name(
    encounter: Encounter, patient_link: AccessLink, redeemed: Redeem
) -> None:
    response = redeemed(patient_link).get(path("party", encounter.appointment))

    assert response.status_code == 200
    assert "Dr. Amara Okafor" in response.content.decode()
    assert "Marín" not in response.content.decode()


def test_no_name_is_in_a_title(encounter: Encounter, clinician: User, verified: SignIn) -> None:
    page = verified(clinician).get(path("staff", encounter.appointment)).content.decode()

    assert "<title>Video visit -" in page


@pytest.mark.parametrize("page", ["staff", "visit"])
def test_pages_have_no_inline_style_or_script(
    encounter: Encounter, clinician: User, verified: SignIn, page: str
) -> None:
    html = verified(clinician).get(path(page, encounter.appointment)).content.decode()

    assert " style=" not in html
    assert " onclick=" not in html
    assert all("src=" in tag or "application/json" in tag for tag in html.split("<script")[1:])


# --- after the call -------------------------------------------------------------------------------


def test_a_visit_that_was_cancelled_does_not_say_that_it_ended(
    visit: Appointment, patient_link: AccessLink, redeemed: Redeem
) -> None:
    Appointment.objects.filter(pk=visit.pk).update(status=Appointment.Status.CANCELLED)

    page = redeemed(patient_link).get(path("left", visit), follow=True).content.decode()

    assert "was cancelled" in page
    assert "has ended" not in page


def test_who_left_by_mistake_can_return(encounter: Encounter, patient_link: AccessLink, redeemed: Redeem) -> None:
    page = redeemed(patient_link).get(path("left", encounter.appointment)).content.decode()

    assert path("party", encounter.appointment) in page


def test_after_the_end_the_page_says_so_and_names_the_clinic(
    encounter: Encounter, patient_link: AccessLink, redeemed: Redeem, as_clinician: Principal, as_patient: Principal
) -> None:
    client = redeemed(patient_link)
    be_here(as_patient, encounter.appointment)
    services.end(principal=as_clinician, visit=encounter.appointment)

    page = client.get(path("left", encounter.appointment)).content.decode()

    assert "The visit has ended" in page
    assert encounter.appointment.clinic.phone in page
    assert path("party", encounter.appointment) not in page


def test_a_stranger_learns_nothing_from_it(encounter: Encounter) -> None:
    page = Client().get(path("left", encounter.appointment)).content.decode()

    assert encounter.appointment.clinic.name not in page
    assert path("party", encounter.appointment) not in page


def test_ending_leads_to_today_with_a_word(
    encounter: Encounter, clinician: User, as_patient: Principal, verified: SignIn
) -> None:
    client = verified(clinician)
    be_here(as_patient, encounter.appointment)

    response = client.post(path("end", encounter.appointment), follow=True)

    assert response.redirect_chain[0][0] == reverse("waiting:today")
    assert "The visit with Rosa Marín has ended." in response.content.decode()
    encounter.refresh_from_db()
    assert encounter.status == Encounter.Status.FINISHED


def test_ending_without_the_patient_says_that_they_are_missed(
    encounter: Encounter, clinician: User, patient_link: AccessLink, redeemed: Redeem, verified: SignIn
) -> None:
    page = verified(clinician).post(path("end", encounter.appointment), follow=True).content.decode()

    assert "Rosa Marín never came in, so the visit is marked as missed." in page
    after = redeemed(patient_link).get(path("left", encounter.appointment))
    assert after.url == reverse("waiting:room", kwargs={"pk": encounter.appointment_id})


def test_the_record_offers_to_miss_who_was_let_in_and_never_came(
    encounter: Encounter, front_desk: User, as_patient: Principal, verified: SignIn
) -> None:
    client, no_show = verified(front_desk), reverse("waiting:noshow", kwargs={"pk": encounter.appointment_id})
    assert no_show in client.get(path("visit", encounter.appointment)).content.decode()

    be_here(as_patient, encounter.appointment)

    assert no_show not in client.get(path("visit", encounter.appointment)).content.decode()


def test_the_record_misses_nobody_before_the_time_has_come(
    visit: Appointment, front_desk: User, verified: SignIn
) -> None:
    client, no_show = verified(front_desk), reverse("waiting:noshow", kwargs={"pk": visit.pk})
    assert no_show not in client.get(path("visit", visit)).content.decode()

    now = timezone.now()
    visit.start, visit.end = now, now + timedelta(minutes=20)
    visit.save()
    assert no_show in client.get(path("visit", visit)).content.decode()


def test_ending_what_has_not_begun_says_so(visit: Appointment, clinician: User, verified: SignIn) -> None:
    client = verified(clinician)

    page = client.post(path("end", visit), follow=True).content.decode()

    assert "This visit has not begun." in page


# --- guests ---------------------------------------------------------------------------------------


def test_a_guests_link_is_shown_once(visit: Appointment, clinician: User, verified: SignIn) -> None:
    client = verified(clinician)

    shown = client.post(path("invite", visit), {"name": "Ana Ruiz", "relationship": "interpreter"}).content.decode()
    again = client.get(path("visit", visit)).content.decode()

    assert "/v/" in shown
    assert "/v/" not in again
    assert "Ana Ruiz" in again


def test_htmx_gets_the_part_alone(visit: Appointment, clinician: User, verified: SignIn) -> None:
    page = (
        verified(clinician)
        .post(path("invite", visit), {"name": "Ana", "relationship": "student"}, headers={"HX-Request": "true"})
        .content.decode()
    )

    assert page.lstrip().startswith('<div class="guests')


def test_a_guest_needs_a_name(visit: Appointment, clinician: User, verified: SignIn) -> None:
    verified(clinician).post(path("invite", visit), {"name": " ", "relationship": "student"})

    assert not AccessLink.objects.filter(kind="guest").exists()


def test_there_are_no_more_guests_than_seats(visit: Appointment, as_clinician: Principal) -> None:
    for n in range(guests.MOST_GUESTS):
        guests.invite_guest(principal=as_clinician, visit=visit, name=f"Guest {n}", relationship="guest")

    with pytest.raises(guests.TooManyGuests):
        guests.invite_guest(principal=as_clinician, visit=visit, name="One more", relationship="guest")


def test_a_link_taken_back_opens_nothing_and_twice_is_once(
    encounter: Encounter, clinician: User, verified: SignIn, redeemed: Redeem
) -> None:
    visit = encounter.appointment
    link = make_link(visit, guest="Ana")
    client = verified(clinician)
    for _ in range(2):
        client.post(path("revoke", visit, link=link.pk))

    assert redeemed(link).get(path("party", visit)).url == reverse("accounts:link-needed")
    assert AuditEvent.objects.filter(subtype="visit.uninvite").count() == 1


def test_a_patients_link_cannot_be_taken_back_here(
    visit: Appointment, patient_link: AccessLink, clinician: User, verified: SignIn
) -> None:
    assert verified(clinician).post(path("revoke", visit, link=patient_link.pk)).status_code == 404


def test_nobody_is_invited_to_what_is_over(encounter: Encounter, as_clinician: Principal) -> None:
    services.end(principal=as_clinician, visit=encounter.appointment)

    with pytest.raises(services.NotOpen):
        guests.invite_guest(principal=as_clinician, visit=encounter.appointment, name="Ana", relationship="guest")


# --- the record -----------------------------------------------------------------------------------


def test_the_record_tells_who_was_there(
    encounter: Encounter, as_clinician: Principal, as_patient: Principal, front_desk: User, verified: SignIn
) -> None:
    visit = encounter.appointment
    for who in (as_clinician, as_patient):
        seat = be_here(who, visit)
    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LEFT)

    page = verified(front_desk).get(path("visit", visit)).content.decode()

    assert page.count("Here now") == 1
    assert page.index("Dr. Amara Okafor</b>") < page.index("Rosa Marín</b>")


def test_looking_at_a_record_is_recorded(visit: Appointment, front_desk: User, verified: SignIn) -> None:
    verified(front_desk).get(path("visit", visit))

    event = AuditEvent.objects.get(subtype="visit.view")
    assert (event.user, event.patient) == (front_desk, visit.patient)


def test_a_reload_is_one_stay(encounter: Encounter, as_patient: Principal) -> None:
    from visits.room.record import people_of

    for _ in range(3):
        be_here(as_patient, encounter.appointment)

    (person,) = people_of(encounter)
    assert [stay.left_at for stay in person.stays] == [None]


def test_who_left_and_returned_has_two_stays(encounter: Encounter, as_patient: Principal) -> None:
    from visits.room.record import people_of

    for _ in range(2):
        seat = be_here(as_patient, encounter.appointment)
        presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LEFT)

    (person,) = people_of(encounter)
    assert len(person.stays) == 2


# --- the admin ------------------------------------------------------------------------------------


def test_the_admin_shows_video_visits_of_the_own_clinic(
    encounter: Encounter, clinic_admin: User, as_patient: Principal, verified: SignIn
) -> None:
    be_here(as_patient, encounter.appointment)
    client = verified(clinic_admin)

    assert "Rosa Marín" in client.get("/admin/room/encounter/").content.decode()
    page = client.get(f"/admin/room/encounter/{encounter.pk}/change/").content.decode()
    assert "Rosa Marín" in page
    assert 'name="_save"' not in page


def test_the_admin_of_another_clinic_sees_none(encounter: Encounter, other_clinic: object, verified: SignIn) -> None:
    from accounts.policy import Role
    from tests import factories

    other = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)  # type: ignore[arg-type]
    client = verified(other)

    assert "Rosa" not in client.get("/admin/room/encounter/").content.decode()
    assert client.get(f"/admin/room/encounter/{encounter.pk}/change/").status_code == 302


# --- what is for staff only -----------------------------------------------------------------------


@pytest.fixture
def checked_in(encounter: Encounter) -> Appointment:
    visit = encounter.appointment
    CheckIn.objects.create(
        appointment=visit, location="48 Alder Street", callback_phone="(555) 010-0177", emergency_contact="Luis"
    )
    return visit


@pytest.mark.parametrize("page", ["party", "left"])
def test_a_guest_reads_nothing_of_the_patient(checked_in: Appointment, redeemed: Redeem, page: str) -> None:
    link = make_link(checked_in, guest="Ana Ruiz")

    answer = redeemed(link).get(path(page, checked_in))

    assert answer.status_code == 200
    for secret in ("Rosa", "Marín", "1979", "Alder", "0177", "Luis", path("visit", checked_in)):
        assert secret not in answer.content.decode()


@pytest.mark.parametrize("page", ["staff", "visit"])
def test_a_guests_link_opens_no_page_of_staff(checked_in: Appointment, redeemed: Redeem, page: str) -> None:
    client = redeemed(make_link(checked_in, guest="Ana Ruiz"))

    assert client.get(path(page, checked_in)).url.startswith("/signin/")


@pytest.mark.parametrize("page", ["party", "left"])
def test_pages_of_the_room_are_kept_in_no_cache(checked_in: Appointment, redeemed: Redeem, page: str) -> None:
    answer = redeemed(make_link(checked_in, guest="Ana Ruiz")).get(path(page, checked_in))

    assert "no-store" in answer.headers["Cache-Control"]


BUTTONS = {"open": "staff", "invite": "invite"}


@pytest.mark.parametrize(
    ("who", "has"), [("clinician", {"open", "invite"}), ("front_desk", {"invite"}), ("clinic_admin", set())]
)
def test_the_record_offers_what_the_role_may_do(
    checked_in: Appointment, who: str, has: set[str], request: pytest.FixtureRequest, verified: SignIn
) -> None:
    page = verified(request.getfixturevalue(who)).get(path("visit", checked_in)).content.decode()

    assert {word for word, name in BUTTONS.items() if f'"{path(name, checked_in)}"' in page} == has
    assert reverse("booking:cancel", kwargs={"pk": checked_in.pk}) not in page  # admitted already


def test_a_clinic_admin_changes_nothing(checked_in: Appointment, clinic_admin: User, verified: SignIn) -> None:
    client = verified(clinic_admin)

    assert client.post(path("end", checked_in)).status_code == 403
    assert client.post(path("invite", checked_in), {"name": "Ana", "relationship": "guest"}).status_code == 403
    link = make_link(checked_in, guest="Ana")
    assert client.post(path("revoke", checked_in, link=link.pk)).status_code == 403
