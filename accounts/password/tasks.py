from celery import shared_task

from accounts.models import User
from accounts.password import services


@shared_task(name="accounts.password.tasks.mail_link", ignore_result=True)
def mail_link(user_id: str) -> None:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is not None:
        services.mail_link(user)
