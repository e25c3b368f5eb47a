"""Everything that people read exists in Spanish, and Spanish pages have no English left."""

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import date, timedelta
from email import policy
from email.parser import BytesParser
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from babel.dates import get_month_names
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import override

from accounts.links import services as links
from accounts.models import AccessLink, User
from accounts.proxies.services import terms_of
from tests import factories
from tests.conftest import staff
from tests.msgids import CALLS, ROOT, Message, in_python, in_template, marked, templates
from tests.party import bearer, browser, make_link
from visits.booking.models import Appointment
from visits.checkin import services as checkin
from visits.checkin.models import ConsentText
from visits.reminders import texts
from visits.reminders.letters import compose
from visits.reminders.models import Communication
from visits.waiting import services as waiting

PO = ROOT / "telehealth/locale/es/LC_MESSAGES/django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|(?<!%)\{\w*\}|</?\w+[^>]*>")
# Names, and what is the same everywhere.
SAME_EVERYWHERE = {"Telehealth", "English", "Español", "M", "V", "F", "Esc"}
SPEAKING_ATTRIBUTES = {"aria-label", "title", "alt", "placeholder", "data-title", "data-say"}


@cache
def spanish() -> Catalog:
    return read_po(BytesIO(PO.read_bytes()), locale="es")


@cache
def translated() -> dict[Message, list[str]]:
    found = {}
    for entry in spanish():
        if entry.id and not entry.fuzzy:
            ids = entry.id if isinstance(entry.id, tuple) else (entry.id, "")
            words = entry.string if isinstance(entry.string, tuple) else (entry.string,)
            if all(words):
                found[Message(entry.context or "", *ids)] = list(words)
    return found


# --- the catalogue


def test_the_extraction_finds_every_kind_of_text() -> None:
    source = """
        {% translate "A" %}{% translate 'B' context "c" %}{% include "x" with words=_("C") %}
        {% blocktranslate count n=many with name=who %}{{ name }}: {{ n }}{% plural %}{{ n }}{% endblocktranslate %}
        {# {% translate "Not me" %} #}{% comment %}{% translate "Nor me" %}{% endcomment %}
    """
    assert set(in_template(source)) == {
        Message("", "A"),
        Message("c", "B"),
        Message("", "C"),
        Message("", "%(name)s: %(n)s", "%(n)s"),
    }
    assert set(in_python('_("A" "B"), ngettext("a", "b", n), _(name), pgettext("c", "d")')) == {
        Message("", "AB"),
        Message("", "a", "b"),
        Message("c", "d"),
    }


def test_no_call_marks_a_text_by_a_name_that_the_extraction_does_not_know() -> None:
    renamed = [
        f"{path.relative_to(ROOT)}: {alias.name} as {alias.asname}"
        for folder in ("accounts", "visits", "telehealth")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if (alias.asname or alias.name) not in CALLS and (alias.asname or "gettext" in alias.name)
    ]

    assert renamed == []


def test_every_text_has_a_spanish_translation() -> None:
    missing = [f"{where}: {message.text!r}" for message, where in marked().items() if message not in translated()]

    assert missing == []


def test_no_translation_is_left_of_a_text_that_is_gone() -> None:
    assert [message for message in translated() if message not in marked()] == []


def test_translations_have_the_placeholders_of_their_texts() -> None:
    wrong = []
    for message, words in translated().items():
        assert len(words) == (2 if message.many else 1), message
        expected = sorted(PLACEHOLDER.findall(message.many or message.text))
        wrong += [word for word in words if sorted(PLACEHOLDER.findall(word)) != expected]

    assert wrong == []
    assert [errors for _, errors in spanish().check() if errors] == []


def test_no_word_of_ours_renames_a_month() -> None:
    """A text without a context says the same wherever Django asks for it: "May" is a month, too."""
    with override("es"):
        months = [date_format(date(2026, month, 1), "F").lower() for month in range(1, 13)]

    assert months == list(get_month_names("wide", locale="es").values())


def test_the_catalogue_compiles_and_counts_as_spanish_does() -> None:
    compiled = BytesIO()
    write_mo(compiled, spanish())
    words = gettext.GNUTranslations(BytesIO(compiled.getvalue()))

    few = [words.ngettext("%(count)d try left.", "%(count)d tries left.", count) for count in (0, 1, 2)]

    assert few == ["Quedan %(count)d intentos.", "Queda %(count)d intento.", "Quedan %(count)d intentos."]


# --- what nobody marked for translation


class Text(HTMLParser):
    """Collects what a page says: its text, and the attributes that are read to people."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.silent += tag in {"style", "script"}
        self.found += [value for name, value in attrs if value and name in SPEAKING_ATTRIBUTES]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)


def said(page: str) -> list[str]:
    parser = Text()
    parser.feed(page)
    parser.close()
    return [" ".join(text.split()) for text in parser.found if text.strip()]


def test_no_template_has_words_outside_of_translate() -> None:
    tags = re.compile(
        r"\{% comment %\}.*?\{% endcomment %\}|\{% blocktranslate.*?endblocktranslate %\}"
        r"|\{% block body_?\w+ %\}.*?\{% endblock %\}|\{[%{#].*?[%}#]\}",
        re.DOTALL,
    )
    untranslated = []
    for path in templates():
        if "demo" in path.parts:
            continue
        for text in said(tags.sub(" ", path.read_text())):
            words = text.strip(" :,.-–·()0123456789+?")
            if re.search(r"[^\W\d_]", words) and words not in SAME_EVERYWHERE:
                untranslated.append(f"{path.relative_to(ROOT)}: {words}")

    assert untranslated == []


def test_scripts_take_their_words_from_the_page() -> None:
    """A capital letter, then more words: that is a sentence, and belongs into the template."""
    sentence = re.compile(r"""(["'`])[A-Z][a-z]+ [a-z].*?\1|textContent\s*=\s*["'`][^"'`$]*[A-Za-z]""")
    found = []
    for path in (ROOT / "static/js").rglob("*.js"):
        code = re.sub(r"/\*.*?\*/|(?m:^\s*//.*$)|(?m:\s//\s.*$)", "", path.read_text(), flags=re.DOTALL)
        found += [f"{path.name}: {match[0]}" for match in sentence.finditer(code)]

    assert found == []


# --- pages and mails in Spanish


@cache
def english() -> list[tuple[str, re.Pattern[str]]]:
    """Texts of two words or more that read otherwise in Spanish: their longest part, and the whole."""
    found = []
    for message, words in translated().items():
        for text in filter(None, (message.text, message.many)):
            parts = [" ".join(part.split()) for part in PLACEHOLDER.split(text)]
            if text not in words and sum(len(re.findall(r"[A-Za-z]{2,}", part)) for part in parts) >= 2:
                whole = ".{0,60}?".join(map(re.escape, parts)).strip()
                found.append((max(parts, key=len), re.compile(rf"(?<!\w){whole}(?!\w)")))
    return found


def assert_spanish(page: str, *sentences: str) -> None:
    text = " ".join(said(page))
    for sentence in sentences:
        assert sentence in text
    assert [part for part, whole in english() if part in text and whole.search(text)] == []


@pytest.fixture
def link(practitioner: Any, visit: Appointment) -> AccessLink:
    """A Spanish-speaking patient's link to a visit in ten minutes."""
    visit.patient.language = "es"
    visit.patient.save()
    visit.start = timezone.now() + timedelta(minutes=10)
    visit.end = visit.start + timedelta(minutes=20)
    visit.save()
    ConsentText.objects.create(clinic=visit.clinic, language="es", version=2, body="Acepto.")
    return make_link(visit)


@pytest.fixture
def staff_client(clinician: User, verified: Any) -> Client:
    User.objects.update(language="es")
    return verified(clinician)


def get(client: Client, name: str, **where: Any) -> str:
    answer = client.get(reverse(name, kwargs=where))
    assert answer.status_code == 200
    return answer.content.decode()


def make_ready(link: AccessLink, visit: Appointment) -> None:
    patient, text = bearer(link), checkin.consent_text(visit.clinic, "es")
    assert text is not None
    checkin.save_details(
        principal=patient, visit=visit, callback_phone="5550100177", location="Casa", emergency_contact=""
    )
    checkin.give_consent(principal=patient, visit=visit, text=text)


@pytest.mark.django_db
def test_signing_in_is_spanish() -> None:
    client = Client(headers={"accept-language": "es-MX,es;q=0.9"})

    assert_spanish(get(client, "accounts:signin"), "Iniciar sesión", "Olvidé mi contraseña")
    wrong = client.post(reverse("accounts:signin"), {"email": "x", "password": ""}).content.decode()
    assert_spanish(wrong, "Problema: Iniciar sesión", "Escriba su contraseña.")
    assert_spanish(get(client, "accounts:password-forgotten"), "Elija una contraseña nueva")
    assert_spanish(get(client, "accounts:link-needed"), "Abra el enlace de nuestro mensaje")


def test_the_landing_page_is_spanish(visit: Appointment, link: AccessLink) -> None:
    url = links.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=link.expires_at,
        patient=visit.patient,
    )[1]
    client = Client()

    assert_spanish(client.get(url).content.decode(), "Primero comprobamos que es usted.", "Día, mes, año.")
    wrong = client.post(url, {"birth_date": "1/2/1980"}).content.decode()
    assert_spanish(
        wrong, "Esa fecha no coincide. Revísela e intente de nuevo. Quedan 2 intentos. Leímos 1 de febrero de 1980."
    )


def test_the_way_of_a_patient_is_spanish(visit: Appointment, link: AccessLink, clinician: User) -> None:
    patient, pk = browser(link), visit.pk

    assert_spanish(
        get(patient, "checkin:details", pk=pk), "¿Esto sigue correcto?", "Acepto tener esta visita por video"
    )
    make_ready(link, visit)
    assert_spanish(
        get(patient, "checkin:devices", pk=pk),
        "Su navegador le pedirá usar la cámara y el micrófono. Elija Permitir.",
        "Todavía no le oímos. Diga unas palabras o elija otro micrófono.",
    )
    assert_spanish(get(patient, "waiting:room", pk=pk), "Usted es el siguiente", "Su lugar está guardado.")
    visit.refresh_from_db()
    waiting.admit(principal=staff(clinician), visit=visit)
    assert_spanish(
        get(patient, "waiting:room", pk=pk), "ya puede atenderle", "Entrar a la visita", "Necesito un momento"
    )
    assert_spanish(get(patient, "room:party", pk=pk), "Su cámara y micrófono", "Pasarla aquí", "Salir")
    links.revoke(principal=None, link=link)
    assert_spanish(get(patient, "room:left", pk=pk), "La visita terminó")


def test_the_pages_of_staff_are_spanish(
    visit: Appointment, link: AccessLink, clinician: User, staff_client: Client
) -> None:
    make_ready(link, visit)
    waiting.arrive(principal=bearer(link), visit=visit)

    assert_spanish(get(staff_client, "waiting:today"), "En espera", "Admitir", "acaba de llegar")
    assert_spanish(get(staff_client, "booking:book"), "Reservar una visita", "Paciente nuevo")
    assert_spanish(get(staff_client, "booking:cancel", pk=visit.pk), "¿Cancelar esta visita?")
    assert_spanish(get(staff_client, "room:visit", pk=visit.pk), "Registro de la visita", "Personas invitadas", "Llegó")
    assert_spanish(get(staff_client, "room:staff", pk=visit.pk), "Terminar para todos", "Controles de la llamada")
    assert_spanish(get(staff_client, "accounts:recovery-codes"), "Códigos de recuperación")


def test_the_admin_is_spanish(visit: Appointment, clinic_admin: User, auditor: User, verified: Any) -> None:
    User.objects.update(language="es")

    assert_spanish(
        get(verified(clinic_admin), "admin:index"), "Administración", "Visitas por video", "Lugares en la fila"
    )
    assert_spanish(get(verified(clinic_admin), "admin:booking_appointment_changelist"), "Reservada por")
    assert_spanish(get(verified(auditor), "admin:accounts_auditevent_changelist"), "Registro de auditoría")


def mails(visit: Appointment) -> Iterator[tuple[str, str, str]]:
    grant = factories.make_proxy(visit.patient)
    details = {"minutes": 20, "until": visit.start.isoformat(), "practitioner": str(visit.practitioner.pk)}
    details |= terms_of(grant) | {"change": "changed", "has_moved": True}
    for kind in Communication.Kind:
        message = Communication(
            appointment=visit,
            patient=visit.patient,
            kind=kind,
            lead=10 if kind == Communication.Kind.REMINDER else 0,
            due_at=timezone.now(),
            details=details,
        )
        message.grant = grant
        assert_spanish(texts.compose(message, link="", now=timezone.now()))
        mail = compose(message, link="https://clinic.example/v/x/", now=timezone.now())
        yield kind, str(mail.subject), mail.message().as_bytes().decode()


def test_mails_are_spanish(visit: Appointment, link: AccessLink) -> None:
    subjects = {}
    for kind, subject, source in mails(visit):
        subjects[kind] = subject
        for part in BytesParser(policy=policy.default).parsebytes(source.encode()).walk():
            if part.get_content_maintype() == "text":
                assert_spanish(part.get_content())
        assert_spanish(subject)

    assert subjects["confirmation"].startswith("Su visita por video es el ")
    assert subjects["reminder"].startswith("Su visita por video empieza en 10 minutos, ")
    assert subjects["cancellation"].startswith("Su visita del ")


def test_times_are_spanish(visit: Appointment, link: AccessLink) -> None:
    page = get(browser(link), "checkin:details", pk=visit.pk)

    assert re.search(r"\d{1,2}:\d\d\xa0[ap]\.\xa0m\.", page)
