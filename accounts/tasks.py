"""Where Celery looks for this app's tasks."""

from accounts.password.tasks import mail_link

__all__ = ["mail_link"]
