"""What a message says of who acts for the patient, in the language of the moment: how it was when this was planned.

First names only, and none in headlines. They are those of now: who was let act as Bob and is called Ana since is Ana in
both messages.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.models import RelatedPerson
from accounts.policy import ProxyScope
from accounts.proxies.services import today_of
from visits.reminders.models import Communication
from visits.schedule.templatetags.moments import date_words

MAY = {ProxyScope.MANAGE: "manages", ProxyScope.JOIN: "joins", ProxyScope.READ: "reads"}


class Change(StrEnum):
    GRANTED = "granted"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True)
class GrantWording:
    """Of a message whose ``details`` are the terms of the grant, with ``change`` and ``has_moved``."""

    message: Communication

    @property
    def headline(self) -> str:
        if self.message.related_person is not None:
            return _("A change in who acts with you")
        match self._change:
            case Change.GRANTED:
                return _("Somebody may act for you")
            case Change.CHANGED:
                return _("What somebody may do for you has changed")
            case Change.ENDED:
                return _("Somebody does not act for you any more")

    @property
    def subject(self) -> str:
        return self.headline

    @property
    def lead(self) -> str:
        return f"{_('Hello %(name)s.') % {'name': self.message.recipient.given_name}} {self._news}"

    @property
    def terms(self) -> list[str]:
        """What holds now, in sentences; nothing of what was ended."""
        if self._change == Change.ENDED:
            return []
        moved = [_("The e-mail address or phone number that we have of %(name)s was changed.") % self._names]
        return [self._may, self._messages, *(moved if self.message.details["has_moved"] else []), self._days]

    @property
    def check(self) -> str:
        """What to do for who knows nothing of it."""
        return _("If you did not ask for this, call us: %(phone)s.") % {"phone": self.message.patient.clinic.phone}

    @property
    def in_short(self) -> str:
        """All that a text message says; of the days only where it is not from now on, for good."""
        terms = [] if self._change == Change.ENDED else [self._may]
        if terms and (self._begins_later or self.message.details["until"]):
            terms.append(self._days)
        return " ".join([self._news, *terms, self.check])

    @property
    def _change(self) -> Change:
        return Change(self.message.details["change"])

    @cached_property
    def _names(self) -> dict[str, str]:
        """Who acts, and for whom, to whoever reads it: the patient, or who acts for them."""
        to_patient = self.message.related_person is None
        return {
            "name": self.message.grant.given_name,
            "patient": pgettext("acts for", "you") if to_patient else self.message.patient.given_name,
        }

    @property
    def _news(self) -> str:
        relationship = RelatedPerson.Relationship(self.message.details["relationship"]).label
        names = {**self._names, "relationship": relationship}
        match self._change:
            case Change.GRANTED:
                return _("%(name)s (%(relationship)s) may act for %(patient)s.") % names
            case Change.CHANGED:
                return _("How %(name)s (%(relationship)s) may act for %(patient)s was changed.") % names
            case Change.ENDED:
                return _("%(name)s (%(relationship)s) does not act for %(patient)s any more.") % names

    @property
    def _may(self) -> str:
        granted = [name for scope, name in MAY.items() if scope in self.message.details["scopes"]]
        fields = [RelatedPerson._meta.get_field(name) for name in granted]
        what = "; ".join(str(field.verbose_name) for field in fields)  # type: ignore[union-attr]
        return _("%(name)s may: %(what)s.") % {**self._names, "what": what}

    @property
    def _messages(self) -> str:
        match RelatedPerson.Messages(self.message.details["messages"]):
            case RelatedPerson.Messages.PATIENT:
                return _("Messages about visits go to %(patient)s alone.") % self._names
            case RelatedPerson.Messages.BOTH:
                return _("Messages about visits go to %(patient)s and to %(name)s.") % self._names
            case RelatedPerson.Messages.PROXY:
                return _("Messages about visits go to %(name)s and not to %(patient)s.") % self._names

    @property
    def _days(self) -> str:
        first, last = (self._day(name) for name in ("from", "until"))
        words = _("From %(first)s to %(last)s.") if last else _("From %(first)s on.")
        return words % {"first": first, "last": last}

    @property
    def _begins_later(self) -> bool:
        today = today_of(self.message.patient, self.message.planned_at)
        return date.fromisoformat(self.message.details["from"]) > today

    def _day(self, name: str) -> str:
        text = self.message.details[name]
        return date_words(date.fromisoformat(text)) if text else ""
