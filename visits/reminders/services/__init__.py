"""What others may ask of the ledger: plan, call off, tell, send what is due, send again."""

from visits.reminders.services.answering import is_confirmed
from visits.reminders.services.delivery import send_due
from visits.reminders.services.granting import tell_of_grant
from visits.reminders.services.offering import call_off_offer, offer
from visits.reminders.services.planning import (
    announce,
    is_no_news,
    plan,
    plan_cancellation,
    plan_for_address,
    plan_for_proxy,
    plan_for_quiet_hours,
    plan_for_zone,
    plan_missed,
    suppress,
)
from visits.reminders.services.resending import NothingToSay, lines_of, resend, settle

__all__ = [
    "NothingToSay",
    "announce",
    "call_off_offer",
    "is_confirmed",
    "is_no_news",
    "lines_of",
    "offer",
    "plan",
    "plan_cancellation",
    "plan_for_address",
    "plan_for_proxy",
    "plan_for_quiet_hours",
    "plan_for_zone",
    "plan_missed",
    "resend",
    "send_due",
    "settle",
    "suppress",
    "tell_of_grant",
]
