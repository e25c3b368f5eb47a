"""Who wants to come earlier, which times have become free, and what was offered to whom."""

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Practitioner
from accounts.stamps import stamp
from visits.booking.models import Appointment
from visits.waitlist.fitting import Part, Wish


class WaitlistEntry(models.Model):
    """A patient with a visit who would come earlier. Times and days are of the patient's clock."""

    class End(models.TextChoices):
        TAKEN = "taken", _("An earlier time was accepted")
        LEFT = "left", _("Taken off the list")
        MOVED = "moved", _("The visit was moved to an earlier time")
        CLOSED = "closed", _("The visit was cancelled, has begun or is over")
        PAST = "past", _("The last day has passed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.ForeignKey(
        Appointment, models.CASCADE, verbose_name=_("visit"), related_name="waitlist_entries"
    )
    anyone = models.BooleanField(_("with any clinician who offers the visit"), default=False)
    # "0246": Monday, Wednesday, Friday, Sunday.
    weekdays = models.CharField(
        _("weekdays"), max_length=7, default="0123456", validators=[RegexValidator(r"^0?1?2?3?4?5?6?$")]
    )
    morning = models.BooleanField(_("morning"), default=True)
    afternoon = models.BooleanField(_("afternoon"), default=True)
    evening = models.BooleanField(_("evening"), default=True)
    last_day = models.DateField(_("until, inclusive"))
    created_at = models.DateTimeField(_("on the list since"), default=timezone.now, editable=False)
    # Nobody: the patient themselves.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("entered by"),
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)
    end = models.CharField(_("why it ended"), max_length=6, choices=End, blank=True, editable=False)

    class Meta:
        # Who is longest on the list comes first.
        ordering = ["created_at", "pk"]
        verbose_name = _("entry of the waitlist")
        verbose_name_plural = _("waitlist")
        constraints = [
            models.UniqueConstraint(fields=["appointment"], condition=Q(ended_at=None), name="waitlist_entry_once"),
            models.CheckConstraint(condition=~Q(weekdays=""), name="waitlist_entry_on_some_day"),
            models.CheckConstraint(
                condition=Q(morning=True) | Q(afternoon=True) | Q(evening=True), name="waitlist_entry_at_some_time"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end="") | Q(ended_at__isnull=False) & ~Q(end=""),
                name="waitlist_entry_ends_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return str(self.appointment)

    @property
    def parts(self) -> list[Part]:
        return [part for part in Part if getattr(self, part)]

    @property
    def wish(self) -> Wish:
        zone = ZoneInfo(self.appointment.patient.home_zone)
        return Wish([int(day) for day in self.weekdays], self.parts, self.last_day, zone)


class Opening(models.Model):
    """A stretch of a clinician's time that has become free, until everybody whom it may suit has been asked."""

    practitioner = models.ForeignKey(Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="openings")
    begin = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    made_at = models.DateTimeField(_("free since"), default=timezone.now, editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["begin", "pk"]
        verbose_name = _("time that became free")
        verbose_name_plural = _("times that became free")
        indexes = [models.Index(fields=["begin"], condition=Q(closed_at=None), name="opening_to_serve")]
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("begin")), name="opening_not_empty")]

    def __str__(self) -> str:
        return f"{stamp(self.begin)}, {self.practitioner}"


class Offer(models.Model):
    """A free time that is kept for one patient of the list until they answer or the time to answer is up."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("offers", "Open")
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")
        EXPIRED = "expired", _("Not answered")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    entry = models.ForeignKey(WaitlistEntry, models.CASCADE, verbose_name=_("entry"), related_name="offers")
    opening = models.ForeignKey(Opening, models.CASCADE, verbose_name=_("time that became free"), related_name="offers")
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="+")
    start = models.DateTimeField(_("start"))
    # The hold's id, and no reference: holds go by themselves, and who books deletes them under other locks than ours.
    held = models.UUIDField(editable=False)
    until = models.DateTimeField(_("open until"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.OPEN)
    made_at = models.DateTimeField(_("offered at"), default=timezone.now, editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-made_at"]
        verbose_name = _("offer of an earlier time")
        verbose_name_plural = _("offers of earlier times")
        indexes = [models.Index(fields=["until"], condition=Q(state="open"), name="offer_to_expire")]
        constraints = [
            models.UniqueConstraint(fields=["entry"], condition=Q(state="open"), name="offer_open_once_an_entry"),
            models.UniqueConstraint(
                fields=["practitioner", "start"], condition=Q(state="open"), name="offer_open_once_a_time"
            ),
            # What became free is offered to each patient once.
            models.UniqueConstraint(fields=["opening", "entry"], name="offer_once_an_opening"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "accepted", "declined", "expired", "withdrawn"]),
                name="offer_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="offer_closed_at_some_time",
            ),
            models.CheckConstraint(
                condition=Q(until__gt=F("made_at"), until__lte=F("start")), name="offer_ends_before_the_visit"
            ),
        ]

    def __str__(self) -> str:
        return f"{stamp(self.start)}, {self.practitioner}, {self.get_state_display()}"

    def is_open(self, now: datetime) -> bool:
        return self.state == self.State.OPEN and now < self.until
