"""Where Celery looks for this app's tasks."""

from accounts.audit.tasks import seal
from accounts.invitations.tasks import mail_invitation
from accounts.login.tasks import clear_sessions
from accounts.mfa.tasks import mail_change
from accounts.password.tasks import mail_link

__all__ = ["clear_sessions", "mail_change", "mail_invitation", "mail_link", "seal"]
