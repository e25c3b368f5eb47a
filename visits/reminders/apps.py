"""The ledger of messages to patients, and the tick that sends them."""

from django.apps import AppConfig


class RemindersConfig(AppConfig):
    name = "visits.reminders"
    verbose_name = "Messages"
