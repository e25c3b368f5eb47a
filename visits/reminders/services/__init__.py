"""What others may ask of the ledger: plan, call off, send what is due, send again."""

from visits.reminders.services.delivery import send_due
from visits.reminders.services.planning import NothingToSay, plan, plan_cancellation, resend, suppress

__all__ = ["NothingToSay", "plan", "plan_cancellation", "resend", "send_due", "suppress"]
