"""Visit types and weekly hours (FHIR R4 Schedule; Slots are computed, see ``slots.py``)."""

import uuid

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic, Practitioner


class VisitType(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="visit_types")
    name = models.CharField(_("name"), max_length=80)
    minutes = models.PositiveSmallIntegerField(
        _("length in minutes"), default=20, validators=[MinValueValidator(5), MaxValueValidator(480)]
    )
    is_active = models.BooleanField(_("can be booked"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("visit type")
        verbose_name_plural = _("visit types")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "name"], name="visit_type_name_once"),
            models.CheckConstraint(condition=models.Q(minutes__gte=5, minutes__lte=480), name="visit_type_length_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.minutes} min"


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class Availability(models.Model):
    """Hours of one clinician on one weekday, by the wall clock of the clinic's time zone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    practitioner = models.ForeignKey(
        Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="availability"
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    start_time = models.TimeField(_("from"))
    end_time = models.TimeField(_("to"))
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until, inclusive"), null=True, blank=True)

    class Meta:
        ordering = ["practitioner", "weekday", "start_time"]
        verbose_name = _("weekly hours")
        verbose_name_plural = _("weekly hours")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_time__gt=models.F("start_time")), name="availability_ends_after_start"
            ),
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="availability_weekday_known"),
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_until=None)
                | models.Q(valid_until__gte=models.F("valid_from")),
                name="availability_valid_dates_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner}, {self.get_weekday_display()} {self.start_time:%H:%M}–{self.end_time:%H:%M}"

    def clean(self) -> None:
        if self.start_time and self.end_time and self.end_time <= self.start_time:
            raise ValidationError({"end_time": _("The end must be after the start.")})
