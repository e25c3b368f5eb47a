"""The pages: of the author, of other staff, of the patient, and who is turned away."""

from datetime import time, timedelta

import pytest
from django.core import mail as mail_box
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.emergency.services import open_record
from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent
from tests import factories
from tests.conftest import staff, verify
from tests.party import browser, make_link
from tests.summary.conftest import CORRECTED, TEXT, colleague, link_to, publish, save, take_place
from visits.reminders import services as reminders
from visits.reminders.models import Communication, ContactPreference, ReminderPolicy
from visits.summary import services
from visits.summary.models import Composition

pytestmark = pytest.mark.django_db

TYPED = {"what_to_do": "Rest.\r\nDrink.", "when_to_get_help": "", "talked_about": ""}


@pytest.fixture(autouse=True)
def counters_begin_anew():
    cache.clear()


@pytest.fixture(autouse=True)
def no_hour_is_quiet(clinic):
    ReminderPolicy.make(clinic, quiet_from=time(0), quiet_until=time(0))


def address(name, visit):
    return reverse(f"summary:{name}", kwargs={"pk": visit.pk})


def fill(client, visit, do="publish", **typed):
    form = client.get(address("write", visit)).context["form"]
    return client.post(address("write", visit), TYPED | {"seen": form["seen"].value(), "do": do} | typed)


def text_of(answer):
    return answer.content.decode()


# --- staff ------------------------------------------------------------------------------------


def test_the_author_saves_publishes_and_corrects(doctor, ended):
    assert fill(doctor, ended, "save").url == address("write", ended)
    assert "Rest." in text_of(doctor.get(address("write", ended)))
    assert doctor.get(address("visit", ended)).url == address("write", ended)

    assert fill(doctor, ended).url == address("visit", ended)
    assert Composition.objects.get().what_to_do == "Rest.\nDrink."

    refused = fill(doctor, ended, what_to_do="Rest more.")
    assert "Say what is new." in text_of(refused)
    assert "Rest more." in text_of(refused)
    fill(doctor, ended, what_to_do="Rest more.", correction="More rest.")
    page = text_of(doctor.get(address("visit", ended)))
    for words in ("Rest more.", "More rest.", "Drink.", "Version 1", "Version 2", "Replaced by a later one."):
        assert words in page


def test_no_words_and_too_many_are_said_and_nothing_typed_is_lost(doctor, ended):
    answer = fill(doctor, ended, what_to_do="", when_to_get_help=" ")
    assert "Write something in one of the parts at least." in text_of(answer)

    answer = fill(doctor, ended, "save", talked_about="x" * 4001, what_to_do="Kept.")

    assert "it has 4001 characters, and 4000 fit" in text_of(answer)
    assert "Kept." in text_of(answer)
    assert not Composition.objects.exists()
    assert fill(doctor, ended, "autosave", talked_about="x" * 4001).status_code == 422


def test_two_windows_show_both_texts_and_overwrite_nothing(doctor, ended, author):
    seen = save(author, ended).token
    fill(doctor, ended, "save", what_to_do="From the other window.")

    answer = doctor.post(address("write", ended), TYPED | {"what_to_do": "From this one.", "seen": seen, "do": "save"})

    assert answer.status_code == 409
    assert "From the other window." in text_of(answer)
    assert "From this one." in text_of(answer)
    assert Composition.objects.get().what_to_do == "From the other window."
    # Who has seen both saves theirs.
    again = TYPED | {"what_to_do": "Both.", "seen": answer.context["form"]["seen"].value(), "do": "save"}
    assert doctor.post(address("write", ended), again).status_code == 302
    assert Composition.objects.get().what_to_do == "Both."


def test_what_was_published_meanwhile_is_said_before_anything_else(doctor, ended, author):
    seen = save(author, ended).token
    publish(author, ended)

    answer = doctor.post(address("write", ended), TYPED | {"seen": seen, "do": "publish"})

    assert answer.status_code == 409
    assert "This summary was published meanwhile" in text_of(answer)
    assert TEXT.what_to_do in text_of(answer)
    assert Composition.objects.count() == 1


def test_the_script_keeps_the_draft(doctor, ended):
    first = fill(doctor, ended, "autosave")
    assert first.json()["seen"] == "1.1"
    assert doctor.post(address("write", ended), TYPED | {"what_to_do": "?", "seen": "1.0", "do": "autosave"}
                       ).status_code == 409  # fmt: skip
    ended_session = Client().post(address("write", ended), TYPED | {"seen": "1.1", "do": "autosave"})
    assert ended_session.status_code == 403


def test_who_may_not_write_is_turned_away(ended, front_desk, clinic_admin, stranger, clinician, password_only):
    page = address("write", ended)
    for user, status in ((front_desk, 403), (clinic_admin, 403), (stranger, 404), (colleague(ended), 404)):
        browser = verify(Client(), user)
        assert browser.get(page).status_code == status
        assert browser.post(page, TYPED | {"seen": "1.0", "do": "publish"}).status_code == status
    assert password_only(clinician).get(page).url.startswith("/signin/")
    assert Client().get(page).url.startswith("/signin/")
    assert not Composition.objects.exists()


def test_a_colleague_reads_in_an_emergency_what_was_published_and_no_draft(
    ended, author, published, front_desk, stranger
):
    save(author, ended, CORRECTED)
    other = colleague(ended)
    reader = verify(Client(), other)
    assert reader.get(address("visit", ended))["Location"].startswith(f"/patients/{ended.patient.pk}/emergency/")
    open_record(principal=staff(other), patient=ended.patient, reason="The ambulance asks what she takes.")

    page = text_of(reader.get(address("visit", ended)))

    assert TEXT.what_to_do in page
    assert CORRECTED.what_to_do not in page
    event = AuditEvent.objects.filter(subtype="summary.view").latest("pk")
    assert event.patient == ended.patient
    assert verify(Client(), stranger).get(address("visit", ended)).status_code == 404
    assert verify(Client(), front_desk).get(address("visit", ended)).status_code == 403


def test_the_record_tells_the_front_desk_that_there_is_one_and_no_more(ended, published, front_desk):
    page = text_of(verify(Client(), front_desk).get(reverse("room:visit", kwargs={"pk": ended.pk})))

    assert "Summary for the patient" in page
    assert "The patient has not opened it yet." in page
    for word in (TEXT.what_to_do, address("visit", ended)):
        assert word not in page


def test_the_front_desk_ends_the_links_and_sends_it_again(ended, published, front_desk):
    link = link_to(published)
    desk = verify(Client(), front_desk)
    message = Communication.objects.get(kind="summary")

    desk.post(address("end-links", ended))
    link.refresh_from_db()
    assert not link.is_live()

    Communication.objects.filter(pk=message.pk).update(state="sent", sent_at=timezone.now())
    desk.post(reverse("reminders:send-again", kwargs={"pk": message.pk}))
    assert Communication.objects.filter(kind="summary", state="planned").exists()


def test_today_names_the_visits_whose_summary_is_to_be_written(doctor, ended, front_desk, author):
    assert address("write", ended) in text_of(doctor.get("/today/"))
    assert address("write", ended) not in text_of(verify(Client(), front_desk).get("/today/"))
    publish(author, ended)
    assert address("write", ended) not in text_of(doctor.get("/today/"))


def test_the_admin_shows_that_there_is_one_and_nothing_of_it(published, clinic_admin):
    admin = verify(Client(), clinic_admin)
    for path in ("/admin/summary/composition/", f"/admin/summary/composition/{published.pk}/change/"):
        page = text_of(admin.get(path))
        assert "Rosa" in page
        for words in (TEXT.what_to_do, TEXT.talked_about, "e1:"):
            assert words not in page
    assert admin.post(f"/admin/summary/composition/{published.pk}/delete/").status_code == 403


# --- the patient ------------------------------------------------------------------------------


def test_the_message_leads_to_the_summary_by_the_birth_date(published, ended):
    assert reminders.send_due() == 1
    mail = mail_box.outbox[-1]
    assert mail.subject == "The summary of your visit is ready"
    for words in ("tablet", "ankles", "readings"):
        assert words not in mail.body
    link = next(line for line in mail.body.splitlines() if "/v/" in line).strip()
    path = link[link.index("/v/") :]
    rosa = Client()
    assert "Summary of your visit" in text_of(rosa.get(path))

    landed = rosa.post(path, {"birth_date": "03/14/1979"})

    page = rosa.get(landed.url)
    assert page.status_code == 200
    assert page["Cache-Control"] == "no-store"
    for words in (TEXT.what_to_do, TEXT.when_to_get_help, TEXT.talked_about, "Dr. Amara Okafor", "911", "010-0142"):
        assert words in text_of(page)
    assert AuditEvent.objects.filter(subtype="summary.read", patient=ended.patient).exists()


def test_a_link_to_the_summary_opens_nothing_else(rosa, ended, published):
    for path in ("visit/", "visits/", "looks/", "room/", "waiting/"):
        assert rosa.get(f"/my/{ended.pk}/{path}").url == "/link-needed/"
        assert rosa.get(f"/my/{published.pk}/{path}").status_code == 404


def test_other_links_do_not_open_the_summary(ended, published, practitioner):
    path = address("read", published)
    assert Client().get(path).url == "/link-needed/"
    for link in (make_link(ended), make_link(ended, guest="Ana"), make_link(factories.make_visit(practitioner))):
        assert browser(link).get(path).url == "/link-needed/"
    other = publish_for_another(practitioner)
    assert browser(link_to(other)).get(path).url == "/link-needed/"


def publish_for_another(practitioner):
    return publish(staff(practitioner.user), take_place(factories.make_visit(practitioner)))


def test_the_patient_reads_the_newest_and_that_it_was_corrected(rosa, ended, author, published):
    publish(author, ended, CORRECTED)

    page = text_of(rosa.get(address("read", published)))

    assert CORRECTED.what_to_do in page
    assert "Corrected on" in page
    assert CORRECTED.correction in page
    assert TEXT.what_to_do not in page
    Communication.objects.filter(kind="summary").update(due_at=timezone.now() - timedelta(minutes=1))
    reminders.send_due()
    assert mail_box.outbox[-1].subject == "The summary of your visit was corrected"


def test_it_speaks_the_patients_language(ended, author):
    ended.patient.language = "es"
    ended.patient.save()
    summary = publish(author, ended)

    page = text_of(browser(link_to(summary)).get(address("read", summary)))

    assert "Resumen de su visita" in page
    assert "Qué hacer ahora" in page
    assert summary.language == "es"


def test_an_expired_link_has_a_new_one_sent_and_a_withdrawn_one_does_not(published, ended):
    Communication.objects.all().delete()
    old, path = links.issue(
        kind=AccessLink.Kind.PATIENT, scope=AccessLink.Scope.SUMMARY, clinic=ended.clinic, patient=ended.patient,
        resource_id=published.pk, expires_at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    path = path[path.index("/v/") :]
    rosa = Client()
    assert "Send me a new link" in text_of(rosa.get(path))
    assert rosa.get(path).content.decode().count("btn-1") == 1

    answer = rosa.post(f"{path}new/")
    rosa.post(f"{path}new/")

    assert "on its way" in text_of(answer)
    assert TEXT.what_to_do not in text_of(answer)
    assert Communication.objects.filter(kind="summary").count() == 1
    links.revoke(principal=None, link=old)
    assert "The clinic has ended it." in text_of(rosa.get(path))
    assert rosa.post(f"{path}new/").status_code == 404


def test_the_list_of_visits_sends_the_summary_also_to_who_wants_no_reminders(published, ended, practitioner):
    ContactPreference.objects.create(patient=ended.patient, channel="email", opted_out_at=timezone.now())
    assert reminders.send_due() == 0
    coming = factories.make_visit(practitioner, patient=ended.patient)
    rosa = browser(make_link(coming))
    path = reverse("summary:send-link", kwargs={"pk": coming.pk, "other": ended.pk})
    assert path in text_of(rosa.get(f"/my/{coming.pk}/visits/"))

    assert rosa.post(path).status_code == 302

    assert reminders.send_due() == 1
    other = publish_for_another(practitioner).appointment
    path = reverse("summary:send-link", kwargs={"pk": coming.pk, "other": other.pk})
    assert rosa.post(path).status_code == 404
    assert services.name_of(coming) is None
