import logging

from celery import shared_task

from accounts.invitations import services
from accounts.models import Invitation

log = logging.getLogger(__name__)


@shared_task(name="accounts.invitations.tasks.mail_invitation", ignore_result=True)
def mail_invitation(invitation_id: str) -> None:
    """Mail the link; the admin's list shows what was not mailed, and sends it again."""
    invitation = Invitation.objects.select_related("clinic").filter(pk=invitation_id).first()
    if invitation is None:
        return
    try:
        services.mail_link(invitation)
    except OSError as error:  # smtplib's exceptions are OSErrors; their text may hold the address
        log.error("mail of invitation %s: %s", invitation.pk, type(error).__name__)
