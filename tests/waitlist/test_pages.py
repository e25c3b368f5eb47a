"""Asking, changing, leaving, answering: by the patient, by staff, and by nobody else."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.policy import Role
from tests import factories
from tests.conftest import staff
from tests.party import browser, make_link
from tests.waitlist.conftest import TUESDAY, at, cancel, later, open_offer, put, states
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.waitlist import links, services
from visits.waitlist.models import WaitlistEntry

pytestmark = pytest.mark.django_db

WISH = {"anyone": "no", "weekdays": ["0", "1"], "parts": ["morning"], "last_day": "2026-06-12"}


@pytest.fixture
def visit(book, patient):
    return book(patient=patient, start=later())


@pytest.fixture
def rosa(visit):
    return browser(make_link(visit))


@pytest.fixture
def lee(verified, front_desk):
    return verified(front_desk)


def mine(visit):
    return reverse("waitlist:mine", args=[visit.pk])


def of_visit(visit):
    return reverse("waitlist:visit", args=[visit.pk])


def text(response, status=200):
    assert response.status_code == status
    return response.content.decode()


@pytest.fixture
def offered(visit, gap, front_desk):
    """The path of an open offer to Rosa."""
    put(visit, front_desk)
    cancel(gap, front_desk)
    services.tick()
    return links.path_of(open_offer().pk)


# --- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["rosa", "lee"])
def test_asking_changing_and_leaving(request, who, visit, clock):
    client, path = request.getfixturevalue(who), mine(visit) if who == "rosa" else of_visit(visit)
    text(client.get(path))
    assert client.post(path, WISH).url == path
    entry = WaitlistEntry.objects.get()
    assert (entry.weekdays, entry.parts, entry.anyone, str(entry.last_day)) == ("01", ["morning"], False, "2026-06-12")
    assert (entry.created_by is None) == (who == "rosa")
    assert "Monday, Tuesday" in text(client.get(path))

    clock.tick()
    client.post(path, WISH | {"parts": ["morning", "evening"], "anyone": "yes"})
    changed = WaitlistEntry.objects.get()
    assert (changed.parts, changed.anyone) == (["morning", "evening"], True)
    assert changed.created_at == entry.created_at, "who changes their mind keeps the place"

    client.post(path, {"do": "leave"})
    assert WaitlistEntry.objects.get().end == "left"
    client.post(path, WISH)
    assert WaitlistEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"weekdays": []}, "Choose at least one day."),
        ({"parts": []}, "Choose at least one time of day."),
        ({"anyone": ""}, "Choose with whom."),
        ({"last_day": "soon"}, "Enter a day like 2026-11-24."),
        ({"last_day": "2026-05-31"}, "That day has passed."),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_is_kept(rosa, visit, wrong, words):
    page = text(rosa.post(mine(visit), WISH | {"weekdays": ["4"]} | wrong))

    assert words in page
    assert "<title>Problem:" in page
    assert ('value="4" id="id_weekdays_4" checked' in page) == ("weekdays" not in wrong)
    assert not WaitlistEntry.objects.exists()


def test_the_last_day_is_that_of_the_visit_at_most(rosa, visit):
    rosa.post(mine(visit), WISH | {"last_day": "2027-01-01"})

    assert WaitlistEntry.objects.get().last_day == later().date()


def test_a_visit_that_is_not_to_come_cannot_be_earlier(rosa, lee, visit, front_desk):
    booking.cancel(principal=staff(front_desk), visit=visit)

    for client, path in ((rosa, mine(visit)), (lee, of_visit(visit))):
        assert "cannot be earlier" in text(client.get(path))
        assert "cannot be earlier" in text(client.post(path, WISH), 409)
    assert not WaitlistEntry.objects.exists()


def test_staff_see_what_was_offered(lee, visit, offered):
    page = text(lee.get(of_visit(visit)))

    assert "Tue, Jun 9, 10:00" in page
    assert "Open" in page


def test_the_patients_own_page_leads_to_the_offer(rosa, visit, offered):
    assert offered in text(rosa.get(mine(visit)))


# --- the offer ------------------------------------------------------------------------------------


def test_reading_an_offer_answers_nothing(visit, offered):
    page = text(Client().get(offered))

    assert "An earlier time is free" in page
    assert "Tuesday, June 9, 10:00" in page
    assert "until 11:00" in page
    assert "Tuesday, June 16, 10:00" in page
    assert states(WaitlistEntry.objects.get()) == ["open"]
    assert "Marín" not in page


def test_accepting(visit, offered):
    client = Client()
    assert client.post(offered, {"answer": "accept"}).url == offered
    visit.refresh_from_db()
    assert visit.start == at("10:00")
    page = text(client.get(offered))
    assert "The earlier time is yours" in page
    assert "Tuesday, June 9, 10:00" in page
    assert client.post(offered, {"answer": "accept"}).url == offered


@pytest.mark.parametrize(("answer", "words"), [("decline", "still on the waitlist"), ("leave", "off the waitlist")])
def test_declining(visit, offered, answer, words):
    client = Client()
    client.post(offered, {"answer": answer})

    page = text(client.get(offered))
    assert words in page
    assert "Tuesday, June 16, 10:00" in page
    visit.refresh_from_db()
    assert visit.start == later()


def test_leaving_by_an_offer_is_on_the_trail_also_after_declining_it(visit, offered):
    for answer in ("decline", "leave", "leave"):
        Client().post(offered, {"answer": answer})

    assert WaitlistEntry.objects.get().end == "left"
    left = AuditEvent.objects.get(subtype="waitlist.leave")
    assert (left.patient, left.entity_id, left.user) == (visit.patient, str(visit.pk), None)


def test_too_late_the_page_says_so_and_that_the_visit_stays(visit, offered, clock):
    clock.move_to(open_offer().until)
    page = text(Client().post(offered, {"answer": "accept"}), 409)

    assert "That time is not free any more" in page
    assert "Your visit stays as it is" in page
    assert "answer" not in page


def test_an_answer_that_is_none_changes_nothing(offered):
    Client().post(offered, {"answer": "perhaps"})

    assert open_offer()


def test_both_clocks_are_shown_where_they_differ(visit, offered, patient):
    patient.time_zone = "America/New_York"
    patient.save()

    page = text(Client().get(offered))
    assert page.index("11:00 am") < page.index("Eastern Time (ET)") < page.index("At the clinic")
    assert "10:00 am (Central Time)" in page
    assert "until 12:00" in page


def test_the_offer_speaks_the_patients_language(visit, offered, patient):
    patient.language = "es"
    patient.save()

    assert '<html lang="es"' in text(Client().get(offered))


def test_the_desk_reads_of_which_clock_an_offer_is_and_that_it_is_open(visit, offered, patient, front_desk, verified):
    patient.time_zone = "America/New_York"
    patient.save()
    front_desk.language = "es"
    front_desk.save()

    page = text(verified(front_desk).get(f"/visits/{visit.pk}/earlier/"))

    assert "11:00\u00a0a.\u00a0m. ET" in page
    assert "Abierta · ofrecida" in page


# --- strangers ------------------------------------------------------------------------------------


def test_strangers_find_nothing(
    visit, offered, stranger, front_desk, clinic_admin, auditor, verified, password_only, practitioner, rosa
):
    other = factories.make_visit(practitioner, start=later("11:00"))
    browsers = {
        "nobody": Client(),
        "of another clinic": verified(stranger),
        "without the right": verified(clinic_admin),
        "auditor": verified(auditor),
        "without a second factor": password_only(front_desk),
        "another patient": browser(make_link(other)),
        "a guest of the visit": browser(make_link(visit, guest="Ines")),
    }
    for who, client in browsers.items():
        for path in (mine(visit), of_visit(visit)):
            for response in (client.get(path), client.post(path, WISH), client.post(path, {"do": "leave"})):
                assert response.status_code in {302, 403, 404}, who
                assert getattr(response, "url", "") != path, who
    assert rosa.get(of_visit(visit)).status_code in {302, 403}
    assert verified(front_desk).get(mine(visit)).status_code in {302, 403, 404}
    assert WaitlistEntry.objects.get().ended_at is None


def test_a_token_that_is_not_ours_opens_nothing(offered):
    token = offered.split("/")[-2]
    for wrong in (token[:-1], f"{'0' * 32}:{token.split(':')[1]}", "x", open_offer().pk.hex):
        assert Client().get(f"/offers/{wrong}/").status_code == 404
        assert Client().post(f"/offers/{wrong}/", {"answer": "accept"}).status_code == 404
    assert open_offer()


def test_a_forged_form_is_refused(offered):
    assert Client(enforce_csrf_checks=True).post(offered, {"answer": "accept"}).status_code == 403
    assert Appointment.objects.filter(start=at("10:00"), status="booked").count() == 0
    assert timezone.now().date() < TUESDAY


# --- the admin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["waitlist_waitlistentry", "waitlist_offer"])
def test_the_admin_shows_a_clinic_its_own(offered, verified, clinic_admin, other_clinic, name):
    path = reverse(f"admin:{name}_changelist")
    assert verified(clinic_admin).get(path).context["cl"].result_count == 1
    stranger = factories.make_member(other_clinic, Role.CLINIC_ADMIN, is_staff=True)
    assert verified(stranger).get(path).context["cl"].result_count == 0
