"""An authenticator app on somebody's phone: django-otp's TOTP device, whose seed the database cannot read.

Codes are those that all apps make: RFC 6238 with SHA-1, six digits, 30 seconds.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from django.db import models
from django_otp.models import Device, DeviceManager, TimestampMixin
from django_otp.oath import TOTP
from django_otp.util import random_hex

from accounts.keys.fields import EncryptedTextField

TOLERANCE = 1  # steps before and after: the clocks of phones


def new_key() -> str:
    return str(random_hex(20))


class TOTPDevice(TimestampMixin, Device):
    # Hex. Bound to the user: nobody's seed becomes another's second factor.
    key = EncryptedTextField(max_length=80, bound_to="user_id", default=new_key)
    # How many steps the phone's clock was off at the last code.
    drift = models.SmallIntegerField(default=0)
    # The step of the last code: that one and those before it are used up.
    last_t = models.BigIntegerField(default=-1)

    # django-otp has no types.
    objects: ClassVar[models.Manager[TOTPDevice]] = DeviceManager()

    class Meta(Device.Meta):
        abstract = False
        ordering = ["pk"]
        verbose_name = "TOTP device"

    @property
    def totp(self) -> Any:
        """django-otp's calculation with this phone's seed, at the present moment."""
        totp = TOTP(bytes.fromhex(self.key), drift=self.drift)
        totp.time = time.time()
        return totp

    def verify_token(self, token: str) -> bool:
        """Check a code and use it up; call it under the row's lock."""
        totp = self.totp
        right = token.isdecimal() and totp.verify(int(token), TOLERANCE, self.last_t + 1)
        if not right:
            return False
        self.last_t, self.drift = totp.t(), totp.drift
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True
