"""What can be booked and when: visit types, hours, exceptions (FHIR R4 Schedule; Slots are computed, see ``slots.py``).

All days and times here are of the wall clock in the clinic's time zone.
"""

import uuid
from datetime import date, time

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic, Practitioner
from visits.schedule.public_holidays import UnknownRegion, check_region
from visits.schedule.wall_clock import MIDNIGHT, YEARS

TO_MIDNIGHT = _("12:00 am (00:00): until midnight.")
WRONG_ORDER = _("The end must be after the start. Over midnight it takes two entries: one until 00:00, one from 00:00.")


def check_year(day: date) -> None:
    """Refuse a day so far off that it can only be a slip."""
    if day.year not in YEARS:
        raise ValidationError(_("Choose a day from 2000 to 2199."))


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class SchedulePolicy(models.Model):
    """How a clinic lets itself be booked. A clinic without a row has the defaults: ``SchedulePolicy.of``."""

    clinic = models.OneToOneField(
        Clinic, models.CASCADE, verbose_name=_("clinic"), primary_key=True, related_name="schedule_policy"
    )
    online_booking = models.BooleanField(
        _("patients book online"),
        default=False,
        help_text=_("Opens the clinic's booking page to everybody, for visit types that patients may book."),
    )
    walk_ins = models.BooleanField(
        _("patients may come without an appointment"),
        default=False,
        help_text=_("While the clinic is open, by its opening hours."),
    )
    # A region of the ``holidays`` library: "US", or "US-TX" with a subdivision; empty: none are kept.
    holiday_region = models.CharField(
        _("public holidays of"),
        max_length=12,
        blank=True,
        help_text=_("A country, or a country and its region: US, US-TX, DE-BY. Empty: none."),
    )
    change_notice = models.PositiveSmallIntegerField(
        _("hours of notice"),
        default=24,
        validators=[MaxValueValidator(14 * 24)],
        help_text=_("Until when patients may move or cancel by themselves. Afterwards they call."),
    )
    offer_minutes = models.PositiveSmallIntegerField(
        _("minutes to answer an offer"),
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(24 * 60)],
        help_text=_("How long an earlier time is kept for one patient on the waitlist."),
    )

    class Meta:
        verbose_name = _("booking rules")
        verbose_name_plural = _("booking rules")

    def __str__(self) -> str:
        return str(self.clinic)

    def clean(self) -> None:
        if self.holiday_region:
            try:
                check_region(self.holiday_region)
            except UnknownRegion:
                words = _("We know no public holidays of “%(region)s”. Write it like US, US-TX or DE-BY.")
                raise ValidationError({"holiday_region": words % {"region": self.holiday_region}}) from None

    @classmethod
    def of(cls, clinic: Clinic) -> "SchedulePolicy":
        """The clinic's rules, or the defaults, unsaved."""
        return cls.objects.filter(clinic=clinic).first() or cls(clinic=clinic)


class VisitType(models.Model):
    class BookedBy(models.TextChoices):
        STAFF = "staff", _("Staff only")
        PATIENT = "patient", _("Staff and patients")

    class Mode(models.TextChoices):
        VIDEO = "video", _("Video")
        PHONE = "phone", _("Phone")

    class Colour(models.TextChoices):
        """Names of pairs in ``static/css/tokens.css``, good in light and dark."""

        TEAL = "teal", _("Teal")
        BLUE = "blue", _("Blue")
        VIOLET = "violet", _("Violet")
        ROSE = "rose", _("Rose")
        AMBER = "amber", _("Amber")
        GREEN = "green", _("Green")
        SLATE = "slate", _("Slate")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="visit_types")
    name = models.CharField(_("name"), max_length=80)
    minutes = models.PositiveSmallIntegerField(
        _("length in minutes"), default=20, validators=[MinValueValidator(5), MaxValueValidator(480)]
    )
    buffer_before = models.PositiveSmallIntegerField(
        _("minutes kept free before"), default=0, validators=[MaxValueValidator(120)]
    )
    buffer_after = models.PositiveSmallIntegerField(
        _("minutes kept free after"), default=0, validators=[MaxValueValidator(120)]
    )
    # The next two bind patients who book for themselves; staff book any time that is to come.
    minimum_notice = models.PositiveIntegerField(
        _("notice in minutes"),
        default=120,
        validators=[MaxValueValidator(60 * 24 * 60)],
        help_text=_("How long before it begins a patient may still book it."),
    )
    horizon_days = models.PositiveSmallIntegerField(
        _("days ahead"),
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text=_("How far ahead a patient may book it."),
    )
    booked_by = models.CharField(_("booked by"), max_length=8, choices=BookedBy, default=BookedBy.STAFF)
    mode = models.CharField(_("takes place by"), max_length=5, choices=Mode, default=Mode.VIDEO)
    colour = models.CharField(_("colour"), max_length=8, choices=Colour, default=Colour.TEAL)
    practitioners = models.ManyToManyField(
        Practitioner,
        verbose_name=_("offered by"),
        related_name="visit_types",
        blank=True,
        help_text=_("Nobody chosen: every clinician."),
    )
    is_active = models.BooleanField(_("can be booked"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("visit type")
        verbose_name_plural = _("visit types")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "name"], name="visit_type_name_once"),
            models.CheckConstraint(condition=Q(minutes__gte=5, minutes__lte=480), name="visit_type_length_sane"),
            models.CheckConstraint(
                condition=Q(buffer_before__lte=120, buffer_after__lte=120), name="visit_type_buffers_sane"
            ),
            models.CheckConstraint(condition=Q(booked_by__in=["staff", "patient"]), name="visit_type_booked_by_known"),
            models.CheckConstraint(condition=Q(mode__in=["video", "phone"]), name="visit_type_mode_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.minutes} min"


def _dates_in_order(first: str, last: str) -> Q:
    return Q(**{first: None}) | Q(**{last: None}) | Q(**{f"{last}__gte": F(first)})


def _times_in_order() -> Q:
    return Q(end_time__gt=F("start_time")) | Q(end_time=MIDNIGHT)


def _are_in_order(start: time, end: time) -> bool:
    return end > start or end == MIDNIGHT


def _hours_text(start: time, end: time) -> str:
    """As timetables write it, in which 24:00 is the midnight after the day."""
    return f"{start:%H:%M}–{'24:00' if end == MIDNIGHT else format(end, '%H:%M')}"


class Availability(models.Model):
    """Hours of one clinician on one weekday, at most until the midnight after it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    practitioner = models.ForeignKey(
        Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="availability"
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    start_time = models.TimeField(_("from"))
    end_time = models.TimeField(_("to"), help_text=TO_MIDNIGHT)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until, inclusive"), null=True, blank=True)
    visit_types = models.ManyToManyField(
        VisitType,
        verbose_name=_("for these visits only"),
        related_name="availability",
        blank=True,
        help_text=_("Nothing chosen: for all."),
    )

    class Meta:
        ordering = ["practitioner", "weekday", "start_time"]
        verbose_name = _("weekly hours")
        verbose_name_plural = _("weekly hours")
        constraints = [
            models.CheckConstraint(condition=_times_in_order(), name="availability_ends_after_start"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="availability_weekday_known"),
            models.CheckConstraint(
                condition=_dates_in_order("valid_from", "valid_until"), name="availability_valid_dates_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner}, {self.get_weekday_display()} {_hours_text(self.start_time, self.end_time)}"

    def clean(self) -> None:
        if self.start_time and self.end_time and not _are_in_order(self.start_time, self.end_time):
            raise ValidationError({"end_time": WRONG_ORDER})


class OpeningHours(models.Model):
    """When the clinic is open on one weekday, at most until the midnight after it.

    A clinic without any is open whenever its clinicians have hours.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    start_time = models.TimeField(_("from"))
    end_time = models.TimeField(_("to"), help_text=TO_MIDNIGHT)

    class Meta:
        ordering = ["clinic", "weekday", "start_time"]
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        constraints = [
            models.CheckConstraint(condition=_times_in_order(), name="opening_ends_after_start"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="opening_weekday_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {_hours_text(self.start_time, self.end_time)}"

    def clean(self) -> None:
        if self.start_time and self.end_time and not _are_in_order(self.start_time, self.end_time):
            raise ValidationError({"end_time": WRONG_ORDER})


class ScheduleException(models.Model):
    """Days on which a clinician, or the whole clinic, is away (``OFF``) or there beyond the weekly hours (``EXTRA``).

    With times it is those hours of each of its days; without, the whole days. Time off wins over extra hours, and a
    clinician's extra hours over a public holiday and the clinic's opening hours.
    """

    class Kind(models.TextChoices):
        OFF = "off", _("Time off")
        EXTRA = "extra", _("Extra hours")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="schedule_exceptions")
    practitioner = models.ForeignKey(
        Practitioner,
        models.CASCADE,
        verbose_name=_("clinician"),
        related_name="schedule_exceptions",
        null=True,
        blank=True,
        help_text=_("Nobody: the whole clinic."),
    )
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    first_day = models.DateField(_("first day"), validators=[check_year])
    last_day = models.DateField(_("last day"), validators=[check_year])
    start_time = models.TimeField(_("from"), null=True, blank=True)
    end_time = models.TimeField(_("to"), null=True, blank=True, help_text=TO_MIDNIGHT)
    # Seen by staff only.
    note = models.CharField(_("note"), max_length=80, blank=True)

    class Meta:
        ordering = ["first_day", "start_time"]
        verbose_name = _("time off or extra hours")
        verbose_name_plural = _("time off and extra hours")
        indexes = [models.Index(fields=["clinic", "last_day"], name="exception_by_day")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["off", "extra"]), name="exception_kind_known"),
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="exception_days_in_order"),
            models.CheckConstraint(
                # Of one that is missing, ``end > start`` is unknown, which a check lets pass.
                condition=Q(start_time=None, end_time=None, kind="off")
                | (Q(start_time__isnull=False, end_time__isnull=False) & _times_in_order()),
                name="exception_times_in_order",
            ),
            models.CheckConstraint(
                condition=Q(kind="off") | Q(practitioner__isnull=False), name="exception_extra_hours_are_somebodys"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner or self.clinic}, {self.get_kind_display()} {self.first_day}"

    def clean(self) -> None:
        wrong = {}
        if self.first_day and self.last_day and self.last_day < self.first_day:
            wrong["last_day"] = _("The last day must not be before the first.")
        if self.kind == self.Kind.EXTRA and self.start_time is None and self.end_time is None:
            wrong["start_time"] = _("Say from when to when there are extra hours.")
        elif self.start_time is None or self.end_time is None:
            if self.start_time != self.end_time:
                missing = "start_time" if self.start_time is None else "end_time"
                wrong[missing] = _("Give both times, or none for whole days.")
        elif not _are_in_order(self.start_time, self.end_time):
            wrong["end_time"] = WRONG_ORDER
        if self.practitioner is not None and self.practitioner.clinic_id != self.clinic_id:
            wrong["practitioner"] = _("This clinician belongs to another clinic.")
        elif self.practitioner is None and self.kind == self.Kind.EXTRA:
            wrong["practitioner"] = _("Choose whose extra hours they are.")
        if wrong:
            raise ValidationError(wrong)
