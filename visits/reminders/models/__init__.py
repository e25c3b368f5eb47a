"""The ledger of messages, how a clinic sends them, what patients want and answer."""

from visits.reminders.models.answers import Confirmation, InboundMessage
from visits.reminders.models.heartbeat import Heartbeat
from visits.reminders.models.ledger import Communication
from visits.reminders.models.policy import LeadTime, ReminderPolicy
from visits.reminders.models.preference import ContactPreference
from visits.reminders.models.template import MessageTemplate

__all__ = [
    "Communication",
    "Confirmation",
    "ContactPreference",
    "Heartbeat",
    "InboundMessage",
    "LeadTime",
    "MessageTemplate",
    "ReminderPolicy",
]
