"""What kinds of second factor there are."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp_webauthn.models import WebAuthnCredential


class Kind(StrEnum):
    PHONE = "totp"
    PASSKEY = "passkey"
    SECURITY_KEY = "security-key"
    RECOVERY_CODES = "recovery-codes"

    @property
    def label(self) -> str:
        return str(LABELS[self])


LABELS = {
    Kind.PHONE: _("Authenticator app"),
    Kind.PASSKEY: _("Passkey"),
    Kind.SECURITY_KEY: _("Security key"),
    Kind.RECOVERY_CODES: _("Recovery codes"),
}


def kind_of(device: Device) -> Kind:
    """A key is a passkey when it lives in a phone, a computer or a password manager, not in a stick of its own."""
    if isinstance(device, StaticDevice):
        return Kind.RECOVERY_CODES
    if not isinstance(device, WebAuthnCredential):
        return Kind.PHONE
    is_passkey = device.backup_eligible or {"internal", "hybrid"} & set(device.transports)
    return Kind.PASSKEY if is_passkey else Kind.SECURITY_KEY
