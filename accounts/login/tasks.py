from importlib import import_module

from celery import shared_task
from django.conf import settings


@shared_task(name="accounts.login.tasks.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Remove expired sessions: one that was left in enrolment still holds a key or recovery codes."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
