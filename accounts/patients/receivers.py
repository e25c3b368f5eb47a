"""Who changes a patient's address changes who can sign in: the old one is told, and what it opened is opened anew."""

from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from accounts.contact import normal_email
from accounts.mfa.notices import tell_old_address
from accounts.models import Patient, User
from accounts.sessions import services as sessions


@receiver(pre_save, sender=Patient)
def remember_account(*, instance: Patient, update_fields: frozenset[str] | None, **_: Any) -> None:
    asks = not instance._state.adding and (update_fields is None or "email" in update_fields)
    account = User.objects.select_related("patient").filter(patient=instance.pk).first() if asks else None
    moves = account is not None and account.patient and normal_email(account.address) != normal_email(instance.email)
    instance.account_that_moves = account if moves else None  # type: ignore[attr-defined]


@receiver(post_save, sender=Patient)
def end_when_address_changed(*, instance: Patient, **_: Any) -> None:
    account: User | None = instance.account_that_moves  # type: ignore[attr-defined]
    if account is not None:
        sessions.end_all(account, why="address")
        tell_old_address(account, account.address)
