"""A person's own second factors: listed, named, removed. They are told by mail of whatever changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import django_otp
from django.db import transaction
from django.http import HttpRequest
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice

from accounts.mfa import services
from accounts.mfa.kinds import Kind, kind_of
from accounts.mfa.notices import Change, tell
from accounts.models import User


class LastFactor(Exception):
    """Without it there would be no second factor left."""


@dataclass(frozen=True)
class Factor:
    """One second factor, as its owner knows it."""

    device: Device

    @property
    def key(self) -> str:
        """What an address calls it."""
        return f"{'phone' if self.kind is Kind.PHONE else 'key'}-{self.device.pk}"

    @property
    def kind(self) -> Kind:
        return kind_of(self.device)

    @property
    def name(self) -> str:
        return str(self.device.name)

    @property
    def made(self) -> datetime | None:
        return cast(datetime | None, self.device.created_at)

    @property
    def used(self) -> datetime | None:
        return cast(datetime | None, self.device.last_used_at)


def factors_of(user: User) -> list[Factor]:
    """All but the recovery codes, oldest first."""
    devices = [one for one in django_otp.devices_for_user(user) if not isinstance(one, StaticDevice)]
    return sorted(map(Factor, devices), key=lambda factor: (factor.made is not None, factor.made, factor.key))


def may_do_without(user: User) -> bool:
    """Patients are offered second factors, unless their clinic asks for one."""
    return user.subject is not None and not user.subject.clinic.patients_need_factor


def find(user: User, key: str) -> Factor | None:
    """The one of the user's own that an address means."""
    return next((factor for factor in factors_of(user) if factor.key == key), None)


def rename(*, request: HttpRequest, factor: Factor, name: str) -> None:
    with transaction.atomic():
        type(factor.device).objects.filter(pk=factor.device.pk).update(name=name)
        services.record("mfa.rename", request, cast(User, request.user), True, factor.device)


def remove(*, request: HttpRequest, factor: Factor) -> None:
    """Remove it, and end all other sessions; this one goes on by another factor, a patient's also without.

    Raises LastFactor.
    """
    user = cast(User, request.user)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        others = [other for other in factors_of(user) if other.key != factor.key]
        if not others and not may_do_without(user):
            raise LastFactor
        services.record("mfa.remove", request, user, True, factor.device)
        if not others:
            services.forget(request)
        elif request.user.otp_device == factor.device:  # type: ignore[union-attr]
            django_otp.login(request, others[-1].device)
        factor.device.delete()
        services.end_other_sessions(request)
        tell(user, Change.REMOVED, factor.kind)
