"""Who changes the address of a patient, or of who acts for one, changes who is told of their visits and can sign in.

The old one is told, and what it opened is opened anew.
"""

from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from accounts.contact import normal_email
from accounts.mfa.notices import tell_old_address
from accounts.models import Patient, RelatedPerson, User
from accounts.patients import notices
from accounts.patients.bearers import Bearer, column_of, patient_of
from accounts.sessions import services as sessions


@receiver(pre_save, sender=Patient)
@receiver(pre_save, sender=RelatedPerson)
def remember_address(*, instance: Bearer, update_fields: frozenset[str] | None, **_: Any) -> None:
    asks = not instance._state.adding and (update_fields is None or "email" in update_fields)
    before = type(instance).objects.filter(pk=instance.pk).first() if asks else None
    moves = before is not None and normal_email(before.email) != normal_email(instance.email)
    instance.left_address = before.email if before is not None and moves else None  # type: ignore[union-attr]


@receiver(post_save, sender=Patient)
@receiver(post_save, sender=RelatedPerson)
def tell_when_address_changed(*, instance: Bearer, **_: Any) -> None:
    address: str | None = instance.left_address  # type: ignore[union-attr]
    if address is None:
        return
    account = User.objects.filter(**column_of(instance)).first()
    if account is not None:
        sessions.end_all(account, why="address")
        tell_old_address(account, address)
    elif patient_of(instance).erased_at is None:
        notices.tell_old_address(instance, address)
