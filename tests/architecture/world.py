"""Two clinics with one of everything, and all who may come knocking: for tests that walk every address.

What is a person's is a word that stands nowhere else (``Canary``), so that a leak is seen wherever it is.
A new model with an admin, or a new kind of thing that an address names, is added to ``Place``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.auth.tokens import default_token_generator
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.audit.services import record
from accounts.invitations.services import make_token
from accounts.links import services as links
from accounts.models import (
    AccessLink,
    AuditEvent,
    Clinic,
    EmergencyAccess,
    Invitation,
    Membership,
    Patient,
    Practitioner,
    Session,
    TOTPDevice,
    User,
)
from accounts.policy import Role
from accounts.principal import SESSION_LINKS
from tests import factories
from tests.conftest import staff, verify
from tests.party import bearer, browser, make_account, make_link
from visits.booking.models import Appointment
from visits.calendar import feed
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.intake.models import QuestionnaireResponse
from visits.records.models import LegalHold, RecordCopy, RetentionRule
from visits.reminders import links as letters
from visits.reminders.models import Communication, Confirmation, ContactPreference, MessageTemplate, ReminderPolicy
from visits.room.models import Encounter, RelayNode, Seat
from visits.schedule.hours import day_of
from visits.schedule.models import OpeningHours, ScheduleException, SchedulePolicy, VisitType
from visits.summary.models import Composition
from visits.waiting.models import Delay, Ticket
from visits.waitlist.links import path_of
from visits.waitlist.models import Offer, Opening, WaitlistEntry

_number = count(10)


@dataclass(frozen=True)
class Canary:
    """The words of one person, each by what it is."""

    whose: str

    def __getattr__(self, kind: str) -> str:
        return f"canary{kind}{self.whose}"

    @property
    def mail(self) -> str:
        return f"canarymail{self.whose}@example.org"


@dataclass
class Place:
    """One clinic, its people, one patient with two visits (one to come, one in which the call is), and what hangs
    on them."""

    whose: str
    clinic: Clinic = field(init=False)
    patient: Patient = field(init=False)
    things: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.clinic = factories.make_clinic(
            name=f"Clinic {self.whose}", slug=f"clinic-{self.whose}", encryption=Clinic.Encryption.PREFERRED,
            time_zone=_where_it_is_noon(),
        )  # fmt: skip
        self.canary = Canary(self.whose)
        self._schedule()
        self.patient, self.newcomer = self.make_patient(self.whose), self.make_patient(self.whose)
        self.walks_in = self.make_patient(self.whose)
        make_account(self.newcomer)
        self.proxy = factories.make_proxy(
            self.patient, given_name=self.canary.proxy, family_name=self.canary.proxy,
            email=f"{self.canary.proxymail}@example.org", phone=f"(512) 555-{next(_number):04}",
            basis_note=self.canary.shown, granted_by=self.doctor,
        )  # fmt: skip
        EmergencyAccess.objects.create(
            clinic=self.clinic, user=self.doctor, patient=self.newcomer, reason=self.canary.note,
            opened_at=timezone.now() - timedelta(days=1), expires_at=timezone.now() - timedelta(hours=23, minutes=30),
        )  # fmt: skip
        self._visits()
        self._messages()
        self._summary()
        self._waitlist()
        self._records()
        self.things = self._things()

    @property
    def visits(self) -> list[Appointment]:
        """Those of the patient."""
        return [self.coming, self.here, self.missed]

    def member(self, role: Role, **fields: Any) -> User:
        number = next(_number)
        defaults = {"name": f"Member {number}", "email": f"member{number}@example.net"}
        return factories.make_member(self.clinic, role, **defaults | fields)

    def make_patient(self, whose: str) -> Patient:
        canary = Canary(whose)
        return factories.make_patient(
            self.clinic, given_name=canary.name, family_name=canary.name, email=canary.mail,
            phone=f"(512) 555-{next(_number):04}",
        )  # fmt: skip

    def _schedule(self) -> None:
        """Round the clock, so that the tests hold at any hour."""
        self.doctor = self.member(Role.CLINICIAN)
        self.phone = TOTPDevice.objects.create(user=self.doctor, name="phone", confirmed=True)
        until = timezone.now() + timedelta(hours=1)
        self.session = Session.objects.create(user=self.doctor, key_hash=self.whose, data="", expires_at=until)
        self.practitioner = factories.make_practitioner(self.clinic, self.doctor)
        self.colleague, self.off_duty = (factories.make_practitioner(self.clinic) for _ in range(2))
        # Who takes no visits yet, and who is invited.
        self.assistant = self.member(Role.CLINICIAN)
        self.invitation = Invitation.objects.create(
            clinic=self.clinic, email=f"invited{self.whose}@example.net", name="Invited", role=Role.FRONT_DESK
        )
        self.visit_type = factories.make_visit_type(self.clinic, booked_by=VisitType.BookedBy.PATIENT, minimum_notice=0)
        for who in (self.practitioner, self.colleague):
            for weekday in range(7):
                factories.make_hours(who, weekday, "00:00", "00:00")
        SchedulePolicy.objects.create(clinic=self.clinic, online_booking=True, walk_ins=True, change_notice=0)
        for weekday in range(7):
            OpeningHours.objects.create(clinic=self.clinic, weekday=weekday, start_time=time(0), end_time=time(23))
        self.off = ScheduleException.objects.create(
            clinic=self.clinic, practitioner=self.practitioner, kind="off", note=self.canary.note,
            first_day=date(2030, 1, 1), last_day=date(2030, 1, 1),
        )  # fmt: skip

    def book(self, patient: Patient, start: datetime, practitioner: Practitioner | None = None) -> Appointment:
        return factories.make_visit(
            practitioner or self.practitioner, patient=patient, visit_type=self.visit_type, start=start
        )

    def at(self, days: int, clock: str) -> datetime:
        """A wall-clock time of the clinic, so many days from today."""
        zone = ZoneInfo(self.clinic.time_zone)
        day = datetime.now(zone).date() + timedelta(days=days)
        return datetime.combine(day, time.fromisoformat(clock), tzinfo=zone).astimezone(UTC)

    def _visits(self) -> None:
        now = timezone.now().replace(second=0, microsecond=0)
        self.coming = self.book(self.patient, self.at(3, "10:00"))
        self.here = self.book(self.patient, now)
        self.waiting = self.book(self.make_patient(self.whose), now + timedelta(minutes=30))
        Ticket.objects.create(appointment=self.waiting)
        self.missed = self.book(self.patient, now - timedelta(minutes=30))
        self.call = self.book(self.make_patient(self.whose), now - timedelta(minutes=55))
        Appointment.objects.filter(pk=self.call.pk).update(mode="phone")
        self.book(self.newcomer, now + timedelta(minutes=55))  # who has to be told that it is late
        Appointment.objects.filter(pk=self.waiting.pk).update(status=Appointment.Status.ARRIVED)
        Appointment.objects.filter(pk=self.missed.pk).update(status=Appointment.Status.NOSHOW)
        self.coming.changes.create(
            change="moved", revision=1, start=self.coming.start, practitioner=self.practitioner,
            old_start=self.at(3, "11:00"), old_practitioner=self.practitioner, reason=self.canary.reason,
        )  # fmt: skip
        Appointment.objects.filter(pk=self.coming.pk).update(revision=1)
        self.here.status = Appointment.Status.ARRIVED
        self.here.save(update_fields=["status"])
        Ticket.objects.create(appointment=self.here, admitted_at=now, admitted_by=self.doctor)
        self.encounter = Encounter.objects.create(
            appointment=self.here, started_at=now, encryption=Clinic.Encryption.PREFERRED
        )
        self.link = make_link(self.here)
        self.guest_link = make_link(self.here, guest=self.canary.guest)
        Seat.objects.create(encounter=self.encounter, link=self.link, name=self.patient.full_name, role=Role.PATIENT)
        self.text = ConsentText.objects.filter(clinic=self.clinic, language="en").get()
        for visit in self.visits:
            Consent.objects.create(patient=self.patient, appointment=visit, text=self.text)
            CheckIn.objects.create(
                appointment=visit, details_at=now, devices_at=now, camera="ok", microphone="ok",
                location=self.canary.place, emergency_contact=self.canary.contact, callback_phone=self.patient.phone,
            )  # fmt: skip
        self._answers()
        Delay.objects.create(practitioner=self.practitioner, day=day_of(self.clinic, now), minutes=30)

    def _answers(self) -> None:
        """What is asked before visits of the type was asked, so that nobody is led to it."""
        asked = factories.make_questionnaire(self.visit_type, {"link_id": "asked"})
        for visit in Appointment.objects.filter(clinic=self.clinic):
            words = json.dumps({"asked": self.canary.answer})
            QuestionnaireResponse.objects.create(
                appointment=visit, questionnaire=asked, status="completed", answers=words
            )

    def _messages(self) -> None:
        ReminderPolicy.make(self.clinic)
        words = f"Words of {self.whose}."
        MessageTemplate.objects.create(clinic=self.clinic, kind="summary", language="en", mail_words=words)
        self.message = Communication.objects.create(
            appointment=self.coming, patient=self.patient, kind="confirmation", due_at=timezone.now(), serial=9,
            revision=1, state=Communication.State.SENT, sent_at=timezone.now(), address=self.patient.email,
            provider_id=f"provider-{self.whose}",
        )  # fmt: skip
        Confirmation.objects.create(appointment=self.coming, revision=1, channel="email")
        ContactPreference.objects.create(patient=self.patient, channel="sms", opted_out_at=timezone.now())

    def _summary(self) -> None:
        """Of a visit that took place, with a link that opens it and one that has expired."""
        now = timezone.now()
        self.ended = self.book(self.patient, self.at(-2, "10:00"))
        Appointment.objects.filter(pk=self.ended.pk).update(status=Appointment.Status.FULFILLED)
        self.summary = Composition.objects.create(
            appointment=self.ended, status="final", language="en", author=self.doctor, author_name="Dr. Member",
            what_to_do=self.canary.summary, published_at=now,
        )  # fmt: skip
        self.summary_link, _ = self._link_to_summary(now + timedelta(days=30))
        _, self.expired_link = self._link_to_summary(now - timedelta(days=1))

    def _link_to_summary(self, expires_at: datetime) -> tuple[AccessLink, str]:
        return links.issue(
            kind=AccessLink.Kind.PATIENT, scope=AccessLink.Scope.SUMMARY, clinic=self.clinic, patient=self.patient,
            resource_id=self.summary.pk, expires_at=expires_at,
        )  # fmt: skip

    def _waitlist(self) -> None:
        start = self.at(2, "09:00")
        self.entry = WaitlistEntry.objects.create(appointment=self.coming, last_day=self.coming.start.date())
        opening = Opening.objects.create(practitioner=self.practitioner, begin=start, end=start + timedelta(minutes=20))
        held = factories.make_hold(self.practitioner, self.visit_type, start)
        self.offer = Offer.objects.create(
            entry=self.entry, opening=opening, practitioner=self.practitioner, start=start, held=held.pk,
            until=timezone.now() + timedelta(hours=1),
        )  # fmt: skip

    def _records(self) -> None:
        """A copy that can be fetched, one that is asked for, and an order to keep the record."""
        admin_ = self.member(Role.CLINIC_ADMIN)
        self.copy = RecordCopy.objects.create(
            patient=self.walks_in, state="ready", content="UEs=", expires_at=timezone.now() + timedelta(days=1),
            made_for=admin_, reason=self.canary.reason,
        )  # fmt: skip
        self.asked = RecordCopy.objects.create(patient=self.newcomer, state="asked")
        self.hold = LegalHold.objects.create(patient=self.patient, reason=self.canary.reason, placed_by=admin_)
        RetentionRule.objects.create(clinic=self.clinic, subject="line", days=30)

    def _things(self) -> dict[str, dict[str, Any]]:
        """What an address names, where it is not a visit as ``pk``."""
        secret = links.issue(
            kind=AccessLink.Kind.PATIENT, clinic=self.clinic, resource_id=self.coming.pk, patient=self.patient,
            expires_at=timezone.now() + timedelta(hours=12),
        )[1]  # fmt: skip
        return {
            "accounts:emergency": {"pk": self.walks_in.pk},
            "accounts:patient-account": {"pk": self.newcomer.pk},
            "accounts:proxies": {"pk": self.patient.pk},
            "reminders:ways": {"pk": self.patient.pk},
            "accounts:proxy": {"pk": self.proxy.pk},
            "accounts:proxy-add": {"pk": self.patient.pk},
            "accounts:proxy-end": {"pk": self.proxy.pk},
            "accounts:factor": {"key": f"phone-{self.phone.pk}"},
            "accounts:session-end": {"pk": self.session.pk},
            "accounts:invitation": {"token": make_token(self.invitation)},
            "accounts:link": {"token": _last(secret)},
            "accounts:password-choose": {
                "pk": self.doctor.pk, "token": default_token_generator.make_token(self.doctor)
            },
            "admin:app_list": {"app_label": "accounts"},
            "calendar:change-time-off": {"pk": self.off.pk},
            "calendar:undo": {"pk": self.coming.pk},
            "calendar:feed-file": {"token": _last(feed.renew(principal=bearer(self.link))).removesuffix(".ics")},
            "dashboard:numbers": {"name": "visits"},
            "online:send-link": {"pk": self.here.pk, "other": self.coming.pk},
            "records:change": {"pk": self.patient.pk},
            "records:copies": {"pk": self.patient.pk},
            "records:decline": {"pk": self.asked.pk},
            "records:download": {"pk": self.copy.pk},
            "records:end-hold": {"pk": self.hold.pk},
            "records:erase": {"pk": self.walks_in.pk},
            "records:page": {"pk": self.patient.pk},
            "reminders:answer": {"token": _last(letters.to_answer(self.message))},
            "reminders:stop": {"token": _last(letters.to_stop(self.patient, "email"))},
            "reminders:arrived": {"pk": self.message.pk},
            "reminders:send-again": {"pk": self.message.pk},
            "reminders:sms-status": {"pk": self.message.pk},
            "room:revoke": {"pk": self.here.pk, "link": self.guest_link.pk},
            "summary:end-links": {"pk": self.ended.pk},
            "summary:read": {"pk": self.summary.pk},
            "summary:renew": {"token": _last(self.expired_link)},
            "summary:send-link": {"pk": self.here.pk, "other": self.ended.pk},
            "summary:visit": {"pk": self.ended.pk},
            "summary:write": {"pk": self.ended.pk},
            "waiting:admit": {"pk": self.waiting.pk},
            "waiting:called": {"pk": self.call.pk},
            "waiting:late-move": {"pk": self.practitioner.pk},
            "waiting:noshow": {"pk": self.waiting.pk},
            "waiting:room": {"pk": self.missed.pk},
            "waitlist:offer": {"token": _last(path_of(self.offer.pk))},
        }  # fmt: skip

    def row(self, model: type[Model]) -> Model | None:
        """One row of the model that is this clinic's; of what belongs to no clinic, any."""
        own: Any = admin.site._registry[model]
        rows = model._default_manager.all()
        if own.clinic_path:
            rows = rows.filter(**{own.clinic_path: self.clinic.pk})
        return rows.first()


def _where_it_is_noon() -> str:
    """A time zone in which the day has hours left, and has had some."""
    zones = ("Pacific/Honolulu", "America/Chicago", "America/Sao_Paulo", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo",
             "Pacific/Auckland")  # fmt: skip
    return min(zones, key=lambda zone: abs(datetime.now(ZoneInfo(zone)).hour - 12))


def _last(url: str) -> str:
    return url.rstrip("/").rsplit("/", 1)[-1]


class World:
    """``ours`` is the clinic of most callers, ``theirs`` that of the strangers."""

    def __init__(self) -> None:
        RelayNode.objects.create(id="relay-1", address="127.0.0.1:1", seen_at=timezone.now())
        self.ours, self.theirs = Place("p"), Place("r")
        # Another patient of our clinic, whose visits are with another clinician.
        self.other = self.ours.make_patient("q")
        elsewhere = factories.make_practitioner(self.ours.clinic)
        self.others = [
            self.ours.book(self.other, self.ours.at(4, "10:00"), elsewhere),
            self.ours.book(self.other, timezone.now().replace(second=0, microsecond=0), elsewhere),
        ]
        for place in (self.ours, self.theirs):
            record("test", AuditEvent.Action.READ, principal=staff(place.doctor))

    def caller(self, who: str) -> Client:
        """A browser of one of ``CALLERS``."""
        return CALLERS[who](self)


def _verified(role: Role, world: World, *, place: str = "ours", **fields: Any) -> Client:
    return verify(Client(), getattr(world, place).member(role, **fields))


def _doctor(world: World, *, place: str = "ours") -> Client:
    return verify(Client(), getattr(world, place).doctor)


def _holder(visits: list[Appointment], **who: Any) -> Client:
    """Who has redeemed links to each of the visits."""
    return _bearer([make_link(visit, **who) for visit in visits])


def _bearer(redeemed: list[AccessLink]) -> Client:
    client = browser(redeemed[0])
    session = client.session
    session[SESSION_LINKS] = {str(link.resource_id): str(link.pk) for link in redeemed}
    session.save()
    return client


def _account(world: World, *, place: str = "ours") -> Client:
    """The patient who is signed in, with a second factor."""
    return verify(Client(), make_account(getattr(world, place).patient))


def _account_of_proxy(world: World) -> Client:
    return verify(Client(), make_account(world.ours.proxy))


def _password_alone(world: World) -> Client:
    """Whom a second factor would let in nearly everywhere."""
    client = Client()
    user = world.ours.member(Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _superuser(world: World) -> Client:
    return verify(Client(), factories.make_user(email="root@example.net", is_staff=True, is_superuser=True))


def _disabled(world: World) -> Client:
    user = world.ours.member(Role.CLINICIAN)
    client = verify(Client(), user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return client


def _former(world: World) -> Client:
    user = world.ours.member(Role.CLINICIAN)
    client = verify(Client(), user)
    Membership.objects.filter(user=user).update(is_active=False)
    return client


def _signed_out(world: World) -> Client:
    """Who kept the cookie of a session that was ended."""
    client = _verified(Role.CLINICIAN, world)
    kept = client.cookies.copy()
    client.post("/signout/")
    client.cookies = kept
    return client


def _taken_back(world: World) -> Client:
    redeemed = [make_link(visit) for visit in world.ours.visits]
    client = _bearer(redeemed)
    AccessLink.objects.filter(pk__in=[link.pk for link in redeemed]).update(revoked_at=timezone.now())
    return client


CALLERS: dict[str, Callable[[World], Client]] = {
    "nobody": lambda world: Client(),
    "password alone": _password_alone,
    "disabled": _disabled,
    "signed out": _signed_out,
    "former member": _former,
    "proxy": lambda world: _holder(world.ours.visits, proxy=world.ours.proxy),
    "patient": lambda world: _bearer([*map(make_link, world.ours.visits), world.ours.summary_link]),
    "patient by hand": lambda world: _holder(world.ours.visits, handed_out_by=world.ours.doctor),
    "account": _account,
    "proxy account": _account_of_proxy,
    "strange account": partial(_account, place="theirs"),
    "guest": lambda world: _holder(world.ours.visits, guest=world.ours.canary.guest),
    "other patient": lambda world: _holder(world.others),
    "link taken back": _taken_back,
    "clinician": _doctor,
    "front_desk": partial(_verified, Role.FRONT_DESK),
    "clinic_admin": partial(_verified, Role.CLINIC_ADMIN, is_staff=True),
    "auditor": partial(_verified, Role.AUDITOR, is_staff=True),
    "strange clinician": partial(_doctor, place="theirs"),
    "strange admin": partial(_verified, Role.CLINIC_ADMIN, place="theirs", is_staff=True),
    "superuser": _superuser,
}
