"""How a clinic reminds: when before a visit, by which channels, and when not."""

from datetime import time
from typing import Any, NamedTuple

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic


class Lead(NamedTuple):
    """A reminder ``minutes`` before the visit, by these channels."""

    minutes: int
    email: bool
    sms: bool


DEFAULT_LEADS = (
    Lead(3 * 24 * 60, email=True, sms=False),
    Lead(24 * 60, email=True, sms=True),
    Lead(60, email=True, sms=False),
    Lead(10, email=True, sms=True),
)


class ReminderPolicy(models.Model):
    """A clinic without a row has the defaults: ``ReminderPolicy.of``. What is changed here holds for what is
    booked or moved from then on; of what is planned, reminders and requests for answers are moved to where quiet
    hours and lead put them now."""

    clinic = models.OneToOneField(
        Clinic, models.CASCADE, verbose_name=_("clinic"), primary_key=True, related_name="reminder_policy"
    )
    sms = models.BooleanField(
        _("text messages"),
        default=False,
        help_text=_("Sends text messages besides e-mail. The patients must have agreed to that."),
    )
    # From the one to the other, over midnight or not, on the patient's clock; both the same: none.
    quiet_from = models.TimeField(_("quiet from"), default=time(21))
    quiet_until = models.TimeField(_("quiet until"), default=time(8))
    form_lead = models.PositiveIntegerField(
        _("ask for missing answers, minutes before"),
        default=2 * 24 * 60,
        validators=[MaxValueValidator(30 * 24 * 60)],
        help_text=_("When details or consent are still missing. 0: never."),
    )

    class Meta:
        verbose_name = _("reminder rules")
        verbose_name_plural = _("reminder rules")

    def __str__(self) -> str:
        return str(self.clinic)

    @classmethod
    def of(cls, clinic: Clinic) -> "ReminderPolicy":
        """The clinic's rules, or the defaults, unsaved."""
        return cls.objects.filter(clinic=clinic).first() or cls(clinic=clinic)

    @classmethod
    def make(cls, clinic: Clinic, **fields: Any) -> "ReminderPolicy":
        """Rules of the clinic's own, which begin with the reminders that it had without."""
        policy = cls.objects.create(clinic=clinic, **fields)
        LeadTime.objects.bulk_create(LeadTime(policy=policy, **lead._asdict()) for lead in DEFAULT_LEADS)
        return policy

    def leads(self) -> list[Lead]:
        """The reminders, the longest lead first."""
        if self._state.adding:
            return list(DEFAULT_LEADS)
        return [Lead(row.minutes, row.email, row.sms) for row in self.lead_times.all()]


class LeadTime(models.Model):
    policy = models.ForeignKey(
        ReminderPolicy, models.CASCADE, verbose_name=_("reminder rules"), related_name="lead_times"
    )
    minutes = models.PositiveIntegerField(
        _("minutes before"),
        validators=[MinValueValidator(5), MaxValueValidator(30 * 24 * 60)],
        help_text=_("10: ten minutes, 60: an hour, 1440: a day, 4320: three days."),
    )
    email = models.BooleanField(_("e-mail"), default=True)
    sms = models.BooleanField(_("text message"), default=False)

    class Meta:
        ordering = ["-minutes"]
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(fields=["policy", "minutes"], name="lead_time_once"),
            models.CheckConstraint(
                condition=models.Q(minutes__gte=5, minutes__lte=30 * 24 * 60), name="lead_time_sane"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.minutes} min"
