"""The ledger of messages to patients, and the tick that sends them."""

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class RemindersConfig(AppConfig):
    name = "visits.reminders"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from accounts.models import Patient, RelatedPerson
        from accounts.proxies.signals import grant_changed
        from visits.booking.signals import appointment_changed
        from visits.reminders.models import ReminderPolicy
        from visits.reminders.receivers import follow_address, follow_grant, follow_policy, plan_messages

        for who in (Patient, RelatedPerson):
            post_save.connect(follow_address, sender=who, dispatch_uid="reminders.follow_address")
        for signal in (post_save, post_delete):
            signal.connect(follow_policy, sender=ReminderPolicy, dispatch_uid="reminders.follow_policy")
        grant_changed.connect(follow_grant, dispatch_uid="reminders.follow_grant")
        appointment_changed.connect(plan_messages, dispatch_uid="reminders.plan_messages")
