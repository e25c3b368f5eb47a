from typing import Any

from celery import shared_task

from accounts.mailing import insist
from accounts.mfa import notices
from accounts.mfa.kinds import Kind
from accounts.models import User


@shared_task(name="accounts.mfa.tasks.mail_change", bind=True, ignore_result=True)
def mail_change(self: Any, user_id: str, change: str, kind: str, sealed_address: str = "") -> None:
    """Mail what changed, for as long as an hour."""
    user = User.objects.select_related("patient__clinic").filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    insist(
        self,
        f"mail of a changed factor for user {user.pk}",
        lambda: notices.mail(user, notices.Change(change), Kind(kind), sealed_address),
    )
