import logging

from celery import shared_task

from accounts.mfa import notices
from accounts.mfa.kinds import Kind
from accounts.models import User

log = logging.getLogger(__name__)


@shared_task(name="accounts.mfa.tasks.mail_change", ignore_result=True)
def mail_change(user_id: str, change: str, kind: str, sealed_address: str = "") -> None:
    """Mail what changed; the trail has it all the same, so nothing is tried twice."""
    user = User.objects.select_related("patient__clinic").filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    try:
        notices.mail(user, notices.Change(change), Kind(kind), sealed_address)
    except OSError as error:  # smtplib's exceptions are OSErrors; their text may hold the address
        log.error("mail of a changed factor for user %s: %s", user.pk, type(error).__name__)
