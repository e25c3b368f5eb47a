"""The crawl: every address of the project by every kind of caller, held against ``expectations.py``.

**A new address** fails ``test_every_address_has_an_expectation``: add one line to the table it belongs to (``STAFF``
for members of a clinic, ``PARTIES`` for who redeemed a link, ``OWN``, ``PUBLIC`` with its reason, ``ADMIN``), or for a
model with an admin to ``MODELS``. Then, as the crawl asks:

* an address that names something else than a visit as ``pk``: add it to ``Place._things`` in ``world.py``;
* a model: give each ``Place`` a row of it; what it holds of a patient is a word of ``Canary`` (any attribute is one);
* a POST that does not come through with what the page's own form holds: add what is typed to ``BODIES`` below.

HEAD is walked as three callers only, and PUT and the like as one: the former is GET to Django, the latter are refused
before any page is looked for.

Each request is undone, so that the order does not matter. What is looked for in every answer, refusals included:
the status that the table says; no word of somebody whom the caller may not see, in body, headers or log; a strict CSP
and ``no-store``; nothing written by who is refused or only reads; a row on the audit trail where staff see a patient's
name. Another clinic's things are answered as what does
not exist, word for word.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client

from accounts.models import AuditEvent, TOTPDevice
from accounts.principal import SESSION_LINKS
from telehealth.logs import HidingFormatter
from tests import factories
from tests.architecture import expectations
from tests.architecture.addresses import EXAMPLE, Route, routes
from tests.architecture.expectations import (
    ACCOUNT,
    FOLLOWS,
    KEPT,
    MODELS,
    PUBLIC,
    READING_WRITES,
    SAME_LOOK,
    SEES,
    SHOWS,
    UNSEEN,
    UNTOLD,
    Row,
    look,
    page,
)
from tests.architecture.world import CALLERS, Place, World
from visits.booking.days import value_of

pytestmark = pytest.mark.django_db

TABLES = {
    "staff": expectations.STAFF,
    "party": expectations.PARTIES,
    "account": expectations.ACCOUNTS,
    "own": expectations.OWN,
    "admin": expectations.ADMIN,
}
# Who has a place of their own: whom the table calls how, and where.
INSIDE = {
    "clinician": "clinician", "front_desk": "front_desk", "clinic_admin": "clinic_admin", "auditor": "auditor",
    "strange clinician": "clinician", "strange admin": "clinic_admin", "superuser": "superuser",
    "former member": "former member", "patient": "patient", "proxy": "proxy", "guest": "guest",
    "patient by hand": "patient by hand",
    "account": "account", "strange account": "account", "proxy account": "proxy account",
}  # fmt: skip
STAFF_ROLES = ("clinician", "front_desk", "clinic_admin", "auditor", "superuser")
SIGNED_IN = (*STAFF_ROLES, "former member")
# Of what is public, what anybody may read who knows nothing.
OPEN = {
    "/healthz/",
    "/healthz/audit/",
    "accounts:link-needed",
    "accounts:password-forgotten",
    "accounts:patient-signin",
    "accounts:signin",
    "room:left",
}
# Who asks for things of our clinic from another one; whose twin in our own clinic need not ask for things of theirs.
STRANGE = ("strange clinician", "strange admin", "strange account")
TWINS = ("clinician", "clinic_admin", "superuser")
# Who asks by HEAD too, which Django answers as it does GET.
BY_HEAD = {"nobody", "patient", "guest"}
OTHER_METHODS = ("put", "patch", "delete", "options", "trace")
# Written whoever asks for what.
ALWAYS = {"accounts_auditevent", "accounts_unsealedevent", "accounts_session"}
WRITING = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
# What every answer tells a browser; of HSTS, which only HTTPS has, see test_settings.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), ",
    "Referrer-Policy": ("same-origin", "strict-origin"),
    "X-Content-Type-Options": "nosniff",
}
ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
CHANGING = re.compile(r'(csrfmiddlewaretoken" value=|X-CSRFToken&quot;: &quot;|nonce=)"?[\w-]+')

# What in an address is a clinic's or a person's.
NAMES_A_THING = ("pk", "object_id", "other", "link", "key")

# What is typed where the page's own form does not hold all of it.
BODIES: dict[str, Callable[[Place], dict[str, Any]]] = {
    "accounts:clinic": lambda place: {"clinic": place.clinic.pk},
    "accounts:emergency": lambda place: {"reason": "The ambulance asks what she takes."},
    "accounts:password": lambda place: {"old": factories.PASSWORD, "new": "quiet river over nine stones"},
    "accounts:patient-account": lambda place: {"do": "end"},
    "accounts:proxy": lambda place: {"given_name": "Eva", "email": "eva@example.net"},
    "accounts:proxy-add": lambda place: {
        "given_name": "Eva", "family_name": "Ruiz", "relationship": "FRND", "basis": "patient", "joins": "on",
        "email": "eva@example.net",
    },
    "booking:book": lambda place: {"do": "book", "patient": place.patient.pk} | a_time(place),
    "booking:move": lambda place: {"do": "move", "reason": "Snow"} | a_time(place),
    "calendar:feed": lambda place: {"do": "renew"},
    "calendar:move": lambda place: {"start": value_of(place.at(5, "10:00"))},
    "calendar:undo": lambda place: {"revision": "1"},
    "intake:questions": lambda place: {"q-asked": "Something else"},
    "live:ticket": lambda place: {"path": "/ws/board/"},
    "online:move": lambda place: {"start": value_of(place.at(5, "10:00")), "reason": "Snow"},
    "records:change": lambda place: {"do": "hold", "hold-reason": "Case 12"},
    # In capitals, which do as well: what somebody types wrong is shown again to who typed it.
    "records:erase": lambda place: {"family_name": place.walks_in.family_name.upper()},
    "room:invite": lambda place: {"name": "Ines", "relationship": "interpreter"},
    "summary:write": lambda place: {"do": "save", "what_to_do": "Rest"},
    "waiting:late": lambda place: {"of": place.practitioner.pk, "late": "20"},
    "waiting:walk-in": lambda place: {
        "do": "book", "patient": place.walks_in.pk, "visit_type": place.visit_type.pk, "practitioner": "any"
    },
    # The admin's: what its forms do not hold.
    "admin:accounts_emergencyaccess_change": lambda place: {"finding": "justified"},
    "admin:accounts_clinic_add": lambda place: {
        "name": "Third", "slug": "third", "phone": "1", "time_zone": "UTC", "language": "en", "emergency_number": "911",
        "encryption": "preferred",
    },
    "admin:accounts_invitation_add": lambda place: {
        "clinic": place.clinic.pk, "email": "new@example.net", "name": "New", "role": "front_desk", "language": "en"
    },
    "admin:accounts_patient_add": lambda place: new_patient(place),
    "admin:accounts_practitioner_add": lambda place: {
        "clinic": place.clinic.pk, "user": place.assistant.pk, "name": "Dr. New", "is_active": "on"
    },
    "admin:checkin_consenttext_add": lambda place: {
        "clinic": place.clinic.pk, "language": "en", "version": "7", "body": "I agree."
    },
    "admin:records_retentionrule_add": lambda place: {"clinic": place.clinic.pk, "subject": "wish", "days": "400"},
    "admin:intake_questionnaire_add": lambda place: {
        "clinic": place.clinic.pk, "title_en": "New", "items-0-text_en": "Question?", "items-0-type": "string",
    },
    "admin:reminders_messagetemplate_preview": lambda place: {
        "clinic": place.clinic.pk, "kind": "missed", "language": "es", "mail_words": "Words.", "as": "mail"
    },
    "admin:reminders_messagetemplate_add": lambda place: {
        "clinic": place.clinic.pk, "kind": "missed", "language": "es", "mail_words": "Words."
    },
    "admin:reminders_leadtime_add": lambda place: {"policy": place.clinic.pk, "minutes": "77", "email": "on"},
    "admin:schedule_availability_add": lambda place: {
        "practitioner": place.off_duty.pk, "weekday": "1", "start_time": "09:00", "end_time": "10:00"
    },
    "admin:schedule_openinghours_add": lambda place: {
        "clinic": place.clinic.pk, "weekday": "1", "start_time": "23:10", "end_time": "23:50"
    },
    "admin:schedule_scheduleexception_add": lambda place: {
        "clinic": place.clinic.pk, "practitioner": place.practitioner.pk, "kind": "off", "first_day": "2031-01-01",
        "last_day": "2031-01-01",
    },
    "admin:schedule_scheduleexception_copy": lambda place: {
        "practitioner": place.practitioner.pk, "week": "2030-01-01", "first": "2030-01-08", "last": "2030-01-08"
    },
    "admin:schedule_visittype_add": lambda place: {
        "clinic": place.clinic.pk, "name": "New", "minutes": "20", "buffer_before": "0", "buffer_after": "0",
        "minimum_notice": "0", "horizon_days": "90", "booked_by": "staff", "mode": "video", "colour": "teal",
    },
}  # fmt: skip


def new_patient(place: Place) -> dict[str, Any]:
    return {
        "clinic": place.clinic.pk, "given_name": "New", "family_name": "New", "birth_date": "1979-03-14",
        "email": "new@example.net", "language": "en",
    }  # fmt: skip


def a_time(place: Place) -> dict[str, Any]:
    """One that is free, as the pages of staff have it."""
    start = place.at(5, "10:00")
    day = start.date().isoformat()
    return {
        "practitioner": place.practitioner.pk, "visit_type": place.visit_type.pk, "week": day, "day": day,
        "start": value_of(start),
    }  # fmt: skip


def expected(route: Route) -> tuple[str, Row]:
    """The table that has the address, and its line. Raises LookupError with what to write."""
    if route.name in PUBLIC:
        return "public", page()
    for table, rows in TABLES.items():
        if route.name in rows:
            return table, rows[route.name]
    found = re.match(r"/admin/(\w+)/(\w+)/(?:\{object_id\}/)?(\w*)/?$", route.template)
    if found and (label := f"{found[1]}.{found[2]}") in MODELS:
        rights, deed = MODELS[label], found[3]
        if deed in {"add", "delete"}:
            return "admin", page(getattr(rights, deed))
        if deed == "change":
            return "admin", page(rights.who, posts=rights.change)
        if deed == "" and route.fields:
            return "admin", Row("onward", expectations.TRAIL, ())
        if deed in {"", "history"}:
            return "admin", look(rights.who)
    raise LookupError(
        f"{route.name} ({route.template}) has no expectation: say in tests/architecture/expectations.py who may open "
        "it. The head of test_crawl.py tells how."
    )


def test_every_address_has_an_expectation() -> None:
    unknown = []
    for route in routes():
        try:
            expected(route)
        except LookupError as missing:
            unknown.append(str(missing))
    names = {route.name for route in routes()}
    gone = {name for rows in (*TABLES.values(), PUBLIC) for name in rows} - names
    registered = {model._meta.label_lower for model in admin.site._registry}

    assert not unknown, "\n".join(unknown)
    assert gone == set(), "in expectations.py, and not in any urls.py"
    assert set(MODELS) == registered


def test_what_is_marked_public_is_what_the_table_says() -> None:
    """A new public view is a decision: write it down."""
    assert {route.name for route in routes() if route.is_public} == set(PUBLIC)


def test_each_clinic_has_a_row_of_every_model() -> None:
    world = World()
    missing = [model._meta.label for model in admin.site._registry if not world.ours.row(model)]

    assert missing == [], "add one in tests/architecture/world.py"


def test_what_is_public_needs_its_secret() -> None:
    opened = {route.name for route in routes() if route.is_public and Client().get(route.path()).status_code < 300}

    assert opened == OPEN


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_no_address_takes_another_method(method: str) -> None:
    browser = World().caller("superuser")
    taken = [route.name for route in routes() if getattr(browser, method)(route.path()).status_code != 405]

    assert taken == []


def test_no_form_is_taken_from_another_site() -> None:
    """All that is posted has the token of its page, but for what other servers tell us, each by its signature."""
    world = World()
    browser = world.caller("superuser")
    browser.handler.enforce_csrf_checks = True
    taken = {route.name for route in routes() if browser.post(route.path()).status_code not in {403, 405}}

    assert taken == {"reminders:stop"}  # a mail program may press the button (RFC 8058)


@pytest.mark.parametrize("who", CALLERS)
def test_each_address_answers_each_caller_as_it_should(who: str) -> None:
    """Rows 1, 5, 7, 16, 17, 19 and 37 of the checklist: who did what, the trail, second factors, others' things,
    caches, logs, headers."""
    world = World()
    crawl = Crawl(world, who)
    with logged(crawl.log):
        for route in routes():
            crawl.walk(route)

    found = crawl.found + leaks("nobody", "the log", "\n".join(crawl.log))
    assert not found, "\n".join(found)


def leaks(who: str, where: str, text: str, shown: Container[str] = ()) -> list[str]:
    """What in the text is not the caller's to see."""
    mine = SEES.get(who, {})
    words = {(found[2], found[1]) for found in re.finditer(r"canary([a-z]+)([pqr])\b", text)}
    return [
        f"{where} names the {kind} of {whose}"
        for whose, kind in sorted(words)
        if kind not in mine.get(whose, set()) and kind not in shown
    ]


class Answer(NamedTuple):
    path: str
    status: int
    text: str
    headers: dict[str, str]
    writes: set[str]

    @property
    def to(self) -> str:
        return self.headers.get("Location", "")

    def likeness(self, values: Iterable[object]) -> tuple[int, str, str]:
        """What a stranger could compare who asked for ``values``."""
        asked = re.compile("|".join([ID.pattern, *(f"(?<=/){re.escape(str(value))}(?=/)" for value in values)]))
        return self.status, asked.sub("ID", self.to), CHANGING.sub("", asked.sub("ID", self.text))


class Crawl:
    """One caller's walk; ``found`` is what was not as it should be."""

    def __init__(self, world: World, who: str) -> None:
        self.world, self.who = world, who
        self.client = world.caller(who)
        self.client.raise_request_exception = False
        self.role = INSIDE.get(who, "")
        self.own, self.foreign = world.ours, world.theirs
        if who.startswith("strange"):
            self.own, self.foreign = world.theirs, world.ours
        if phone := TOTPDevice.objects.filter(user=self.client.session.get("_auth_user_id")).first():
            self.own.things["accounts:factor"] = {"key": f"phone-{phone.pk}"}
        if session := self.client.session.read():
            self.own.things["accounts:session-end"] = {"pk": session.pk}
        # Whom the trail may name: the user, or the links that this browser has opened, and nobody beside.
        user, links = self.client.session.get("_auth_user_id"), self.client.session.get(SESSION_LINKS, {})
        self.actors = {(UUID(user), None)} if user else {(None, UUID(link)) for link in links.values()}
        self.last_event = AuditEvent.objects.order_by("pk").values_list("pk", flat=True).last()
        self.found: list[str] = []
        self.log: list[str] = []

    def walk(self, route: Route) -> None:
        table, row = expected(route)
        if table == "public":
            self._walk_public(route)
        elif row.kind == "onward" and self.role in row.who:
            self._walk_onward(route)
        elif self.role in row.who:
            if self.who not in STRANGE or not self._things_in(route):
                self._walk_inside(route, row)
            if self.who not in TWINS:
                self._walk_foreign(route, table)
        else:
            self._walk_refused(route, table)

    def _walk_public(self, route: Route) -> None:
        for path in self._paths(route, self.world.ours):
            answer = self.ask(route, "get", path)
            self._writes_nothing(route, "get", answer)
            self.ask(route, "post", path, self._body(route, self.world.ours, answer))

    def _walk_onward(self, route: Route) -> None:
        """The admin's old address of a row, whether there is one or not."""
        for place in (self.own, self.foreign):
            for path in self._paths(route, place):
                for method in ("get", "post"):
                    answer = self.ask(route, method, path)
                    self._say(answer.to == f"{path}change/", route, method, answer, "does not lead on")
                    self._say(not answer.writes, route, method, answer, f"wrote {answer.writes}")

    def _walk_refused(self, route: Route, table: str) -> None:
        for path in self._paths(route, self.world.ours):
            body = self._body(route, self.world.ours, None)
            for method in ("get", "post"):
                answer = self.ask(route, method, path, body if method == "post" else None)
                is_right = self._is_refusal(table, method, path, answer)
                self._say(is_right, route, method, answer, "is not refused as it should be")
                self._say(not answer.writes, route, method, answer, f"refused, and wrote {answer.writes}")
                if method == "get":
                    self._ask_by_head(route, path, answer)

    def _ask_by_head(self, route: Route, path: str, shown: Answer) -> None:
        if self.who in BY_HEAD:
            answer = self.ask(route, "head", path)
            self._say(answer.status in {shown.status, 405}, route, "head", answer, f"is not GET ({shown.status})")
            self._writes_nothing(route, "head", answer)

    def _is_refusal(self, table: str, method: str, path: str, answer: Answer) -> bool:
        if table == "account":
            return answer.status == 403 if method == "post" else answer.to.startswith("/me/signin/?next=")
        if table == "party":
            may_be_refused = self.role in {"guest", "proxy", "patient by hand", *ACCOUNT} and answer.status in {
                403,
                404,
                405,
            }
            return answer.to == "/link-needed/" or may_be_refused
        if self.role not in SIGNED_IN and (table != "own" or self.role not in ACCOUNT):
            return answer.status == 403 if method == "post" else answer.to.startswith("/signin/?next=")
        if table == "staff" and self.role in {"superuser", "former member"}:
            return answer.to == "/no-clinic/"
        if table == "own":
            return answer.status in {404, 405}
        if table == "admin":
            return answer.status in {403, 404, 405} or answer.to == "/admin/"
        return answer.status == 403

    def _walk_inside(self, route: Route, row: Row) -> None:
        read: list[int] = []
        written: set[str] = set()
        for path in self._paths(route, self.own):
            shown = self.ask(route, "get", path)
            self._writes_nothing(route, "get", shown)
            if row.kind in {"look", "page"}:
                read.append(shown.status)
                self._is_in(route, "get", shown)
            else:
                self._say(shown.status == 405, route, "get", shown, "takes more than POST")
            body = self._body(route, self.own, shown)
            answer = self.ask(route, "post", path, body)
            if row.posts[:1] == (self.role,):  # PostgreSQL takes no NUL
                self.ask(route, "post", path, {name: f"{value}\0" for name, value in body.items()})
            written |= answer.writes
            said = re.findall(r'class="errorlist[^>]*>(.*?)</ul>', answer.text)
            if self.role in row.posts:
                self._is_in(route, "post", answer)
            elif row.kind == "page":
                self._say(answer.status in {403, 404, 405}, route, "post", answer, "is not refused")
            self._ask_by_head(route, path, shown)
            self._act(route, path, shown, self.own)
        if read:
            self._found_if(min(read) >= 400, f"{route.name}: GET never succeeds: {read}")
        if row.kind in {"page", "post"} and row.posts[:1] == (self.role,):
            words = f"{route.name}: POST comes through nowhere: say in BODIES what is typed {said}"
            self._found_if(not written and route.name not in UNSEEN, words)
        if self.role not in row.posts or row.kind == "ask":
            written -= READING_WRITES.get(route.name, set())
            self._found_if(bool(written), f"{route.name}: POST wrote {written}")

    def _walk_foreign(self, route: Route, table: str) -> None:
        """Another clinic's things, and things that are not."""
        own, foreign = self._values(route, self.own), self._values(route, self.foreign)
        names = self._things_in(route)
        for path in self._paths(route, self.own):
            for answer in self._act(route, path, self.ask(route, "get", path), self.foreign):
                self._say(
                    not answer.writes, route, "post", answer, f"did something to another clinic's: {answer.writes}"
                )
        if typed := self._body(route, self.foreign, None):
            for path in self._paths(route, self.own):
                answer = self.ask(route, "post", path, typed)
                is_strange = any(ID.fullmatch(str(value)) for value in typed.values())
                self._found_if(
                    is_strange and bool(answer.writes), f"{route.name}: took another clinic's things: {typed}"
                )
        if not names or not foreign[0]:
            return
        tries = [(foreign[0], dict.fromkeys(names, EXAMPLE))]
        if len(names) > 1:  # one's own visit, and another's thing that hangs on it
            tries.append((own[0] | {names[1]: foreign[0][names[1]]}, own[0] | {names[1]: EXAMPLE}))
        for method in ("get", "post"):
            for strange, nothing in tries:
                body = self._body(route, self.foreign, None) if method == "post" else None
                answer = self.ask(route, method, route.path(**strange), body)
                like = self.ask(route, method, route.path(**nothing), body)
                self._say(self._is_nowhere(table, answer), route, method, answer, "of another clinic is not nowhere")
                is_like = answer.likeness(strange.values()) == like.likeness(nothing.values())
                self._say(is_like, route, method, answer, "differs from what does not exist")
                self._say(not answer.writes, route, method, answer, f"of another clinic, and wrote {answer.writes}")

    def _act(self, route: Route, path: str, shown: Answer, place: Place) -> list[Answer]:
        """All that the admin's list offers to do, with the row of the place, confirmed at once."""
        row = place.row(model) if route.name.endswith("_changelist") and (model := _model(route)) else None
        if row is None:
            return []
        offered = re.search(r'<select name="action".*?</select>', shown.text, re.DOTALL)
        actions = re.findall(r'<option value="(\w+)"', offered[0]) if offered else []
        chosen = {"_selected_action": str(row.pk), "index": "0", "post": "yes", "confirmed": "yes"}
        return [self.ask(route, "post", path, {"action": action} | chosen) for action in actions]

    def _things_in(self, route: Route) -> list[str]:
        return [name for name in route.fields if name in NAMES_A_THING]

    def _is_nowhere(self, table: str, answer: Answer) -> bool:
        if table == "party":
            return answer.to == "/link-needed/" or answer.status in {404, 405}
        if table == "admin":
            return answer.status in {403, 404, 405} or answer.to == "/admin/"
        return answer.status in {404, 405}

    def ask(self, route: Route, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Send it, undo it, and look at what holds for every answer."""
        cache.clear()
        cookies = self.client.cookies.copy()
        writes: set[str] = set()
        with transaction.atomic(), connection.execute_wrapper(noting(writes)):
            answer = getattr(self.client, method)(path, body)
            answer_text = _text(answer)
            events = AuditEvent.objects.filter(pk__gt=self.last_event).exclude(
                user=None, link=None, subtype__in=FOLLOWS
            )
            actors = set(events.values_list("user_id", "link_id")) if self.actors else set()
            transaction.set_rollback(True)
        self.client.cookies = cookies
        told = Answer(path, answer.status_code, answer_text, dict(answer.headers), writes - ALWAYS)
        what = f"{route.name}: {method.upper()}"
        is_look = self.role in STAFF_ROLES and "canaryname" in told.text and route.name not in SAME_LOOK
        self._found_if(is_look and "accounts_auditevent" not in writes, f"{what}: a look that is not on the trail")
        is_untold = told.writes - UNTOLD.get(route.name, set()) and "accounts_auditevent" not in writes
        self._found_if(bool(is_untold), f"{what}: a change that is not on the trail: {told.writes}")
        if expected(route)[0] != "public":  # where one signs in nobody is known yet
            self._found_if(not actors <= self.actors, f"{what}: on the trail as {actors}, and it was {self.actors}")
        if told.status >= 500 and not (route.name.startswith("/healthz/")):
            reason = getattr(answer, "exc_info", None)
            self.found.append(f"{what}: {told.status} {reason and repr(reason[1])}")
        headers = "\n".join([*told.headers.values(), *(one.OutputString() for one in answer.cookies.values())])
        self.found += leaks(self.who, what, told.text + headers, SHOWS.get(route.name, ()))
        policy = told.headers.get("Content-Security-Policy", "")
        self._found_if("default-src 'none'" not in policy or "unsafe" in policy, f"{what}: the CSP is {policy!r}")
        missing = [name for name, value in HEADERS.items() if not told.headers.get(name, "").startswith(value)]
        self._found_if(bool(missing), f"{what}: {told.status} without {missing}")
        is_kept = "no-store" not in told.headers.get("Cache-Control", "")
        self._found_if(is_kept and route.name not in KEPT, f"{what}: {told.status} may be kept by a browser")
        return told

    def _paths(self, route: Route, place: Place) -> list[str]:
        return [route.path(**values) for values in self._values(route, place)]

    def _values(self, route: Route, place: Place) -> list[dict[str, Any]]:
        """What the address names: both visits, unless ``Place`` knows better."""
        if "object_id" in route.fields and (model := _model(route)):
            return [{"object_id": place.row(model).pk}]  # type: ignore[union-attr]
        slug = {"slug": place.clinic.slug} if "slug" in route.fields else {}
        if route.name in place.things:
            return [slug | place.things[route.name]]
        if "pk" in route.fields and not slug:
            return [{"pk": place.coming.pk}, {"pk": place.here.pk}]
        return [slug]

    def _body(self, route: Route, place: Place, shown: Answer | None) -> dict[str, Any]:
        """What the page's own form holds, and what is typed besides."""
        held = fields_of(shown.text, shown.path) if shown and shown.status == 200 else {}
        typed = BODIES[route.name](place) if route.name in BODIES else {}
        return held | typed

    def _is_in(self, route: Route, method: str, answer: Answer) -> None:
        is_door = answer.to.startswith(("/signin/?", "/link-needed/", "/no-clinic/"))
        self._say(answer.status not in {403, 404, 405} and not is_door, route, method, answer, "does not let them in")

    def _writes_nothing(self, route: Route, method: str, answer: Answer) -> None:
        written = answer.writes - READING_WRITES.get(route.name, set())
        self._say(not written, route, method, answer, f"reading wrote {written}")

    def _say(self, is_right: bool, route: Route, method: str, answer: Answer, wrong: str) -> None:
        self._found_if(not is_right, f"{route.name}: {method.upper()} {wrong} ({answer.status} {answer.to})")

    def _found_if(self, is_wrong: bool, words: str) -> None:
        if is_wrong:
            self.found.append(words)


def noting(tables: set[str]) -> Callable[..., Any]:
    """An execute wrapper that notes which tables are written."""

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if found := WRITING.match(sql):
            tables.add(found[1])
        return execute(sql, params, many, context)

    return wrapper


@contextmanager
def logged(lines: list[str]) -> Iterator[None]:
    """All that is logged meanwhile, as our own formatter writes it."""
    handler = logging.Handler()
    handler.setFormatter(HidingFormatter())
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _text(answer: Any) -> str:
    content = async_to_sync(_gathered)(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode(errors="replace"))


async def _gathered(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in stream])


def _model(route: Route) -> Any:
    return next(
        (model for model in admin.site._registry
         if route.template.startswith(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")), None
    )  # fmt: skip


class _Fields(HTMLParser):
    """The fields of the last form of a page that is posted to the page itself, as they stand."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self.fields: dict[str, Any] = {}
        self._is_inside = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name, value = has.get("name") or "", has.get("value")
        if tag == "form":
            is_own = has.get("action", "") in {"", self._path}
            self._is_inside = is_own and (has.get("method") or "").lower() == "post"
            if self._is_inside:
                self.fields = {}
        elif not self._is_inside:
            return
        elif tag == "input" and name and has.get("type") not in {"submit", "button", "file"}:
            is_box = has.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in has:
                self._add(name, ("on" if is_box else "") if value is None else value)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in has:
            self._add(self._select, value or "")
        elif tag == "textarea":
            self._area = name
            self.fields.setdefault(name, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data

    def _add(self, name: str, value: str) -> None:
        before = self.fields.get(name)
        self.fields[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]


def fields_of(page: str, path: str) -> dict[str, Any]:
    reader = _Fields(path)
    reader.feed(page)
    return reader.fields
