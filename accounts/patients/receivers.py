"""Who changes the address of a patient, or of who acts for one, changes who can sign in.

The old one is told, and what it opened is opened anew.
"""

from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from accounts.contact import normal_email
from accounts.mfa.notices import tell_old_address
from accounts.models import Patient, RelatedPerson, User
from accounts.patients.bearers import Bearer, column_of
from accounts.sessions import services as sessions


@receiver(pre_save, sender=Patient)
@receiver(pre_save, sender=RelatedPerson)
def remember_account(*, instance: Bearer, update_fields: frozenset[str] | None, **_: Any) -> None:
    asks = not instance._state.adding and (update_fields is None or "email" in update_fields)
    accounts = User.objects.select_related(*User.PARTIES)
    account = accounts.filter(**column_of(instance)).first() if asks else None
    moves = account is not None and normal_email(account.address) != normal_email(instance.email)
    instance.account_that_moves = account if moves else None  # type: ignore[union-attr]


@receiver(post_save, sender=Patient)
@receiver(post_save, sender=RelatedPerson)
def end_when_address_changed(*, instance: Bearer, **_: Any) -> None:
    account: User | None = instance.account_that_moves  # type: ignore[union-attr]
    if account is not None:
        sessions.end_all(account, why="address")
        tell_old_address(account, account.address)
