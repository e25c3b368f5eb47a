import logging
from typing import Any

from celery import shared_task

from accounts.codes import forget_old as forget_old_codes
from accounts.mailing import insist
from accounts.models import Clinic, PatientCode, User
from accounts.patients import codes, notices

log = logging.getLogger(__name__)


@shared_task(name="accounts.patients.tasks.send_code", ignore_result=True)
def send_code(pk: str) -> None:
    """Send the code; who waits for it in vain asks again, so nothing is tried twice."""
    row = PatientCode.objects.select_related(*User.PARTIES).filter(pk=pk).first()
    if row is None:
        return
    try:
        codes.deliver(row)
    except OSError as error:  # smtplib's exceptions are OSErrors; their text may hold the address
        log.error("code %s: %s", pk, type(error).__name__)


@shared_task(name="accounts.patients.tasks.mail_change", bind=True, ignore_result=True)
def mail_change(self: Any, account_id: str, change: str) -> None:
    """Mail what became of an account, for as long as an hour."""
    account = User.objects.select_related(*User.PARTIES).filter(pk=account_id).first()
    if account is None:
        return
    insist(self, f"mail about account {account_id}", lambda: notices.mail(account, notices.Change(change)))


@shared_task(name="accounts.patients.tasks.mail_old_address", bind=True, ignore_result=True)
def mail_old_address(self: Any, clinic_id: str, language: str, sealed: str) -> None:
    """Tell an address that the clinic writes to no more, for as long as an hour."""
    clinic = Clinic.objects.filter(pk=clinic_id).first()
    if clinic is None:
        return
    insist(
        self,
        f"mail to an old address, clinic {clinic_id}",
        lambda: notices.mail_to_old_address(clinic, language, sealed),
    )


@shared_task(name="accounts.patients.tasks.forget_old", ignore_result=True)
def forget_old() -> None:
    forget_old_codes(PatientCode)
