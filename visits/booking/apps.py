"""Appointments: booking, cancelling, and the one door to a visit."""

from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "visits.booking"
    verbose_name = "Visits"
