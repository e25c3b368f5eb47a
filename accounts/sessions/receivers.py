"""What begins sessions, and which changes of an account end them: what was opened under other rights is opened anew."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import Membership, User
from accounts.sessions import services

RIGHTS = ("is_active", "is_staff", "is_superuser", "email")


@receiver(user_logged_in)
def begin(*, request: HttpRequest, user: User, **_: Any) -> None:
    services.begin(request=request, user=user)


@receiver(pre_save, sender=User)
def remember_rights(*, instance: User, update_fields: frozenset[str] | None, **_: Any) -> None:
    changes = not instance._state.adding and (update_fields is None or not update_fields.isdisjoint(RIGHTS))
    before = User.objects.filter(pk=instance.pk).values(*RIGHTS).first() if changes else None
    instance.rights_before = before  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def end_when_rights_changed(*, instance: User, **_: Any) -> None:
    before = instance.rights_before  # type: ignore[attr-defined]
    if before and before != {name: getattr(instance, name) for name in RIGHTS}:
        services.end_all(instance, why="account")


@receiver(post_save, sender=Membership)
def end_when_role_changed(*, instance: Membership, created: bool, **_: Any) -> None:
    if not created:
        services.end_all(instance.user, why="role")


@receiver(post_delete, sender=Membership)
def end_when_taken_out(*, instance: Membership, **_: Any) -> None:
    services.end_all(instance.user, why="role")
