"""Where Celery looks for this app's tasks."""

from accounts.audit.tasks import seal
from accounts.invitations.tasks import mail_invitation
from accounts.login.tasks import clear_sessions
from accounts.mfa.tasks import mail_change
from accounts.password.tasks import mail_link
from accounts.patients.tasks import forget_old, send_code
from accounts.patients.tasks import mail_change as mail_account_change

__all__ = [
    "clear_sessions",
    "forget_old",
    "mail_account_change",
    "mail_change",
    "mail_invitation",
    "mail_link",
    "seal",
    "send_code",
]
