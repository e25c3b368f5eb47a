import logging

from celery import shared_task

from accounts.models import User
from accounts.password import services

log = logging.getLogger(__name__)


@shared_task(name="accounts.password.tasks.mail_link", ignore_result=True)
def mail_link(user_id: str) -> None:
    """Mail the link; who waits for it in vain asks again, so nothing is tried twice."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    try:
        services.mail_link(user)
    except OSError as error:  # smtplib's exceptions are OSErrors; their text may hold the address
        log.error("password mail for user %s: %s", user.pk, type(error).__name__)
