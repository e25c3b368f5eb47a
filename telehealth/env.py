"""Typed access to environment variables; every secret may also come from a file (``NAME_FILE``)."""

import base64
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

WEAK_SECRETS = {"secret", "changeme", "change-me", "password", "insecure"}


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str, default: bool = False) -> bool:
    """Read yes/no. Raises ImproperlyConfigured for anything that is neither."""
    value = env_str(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def env_int(name: str, default: int) -> int:
    value = env_str(name)
    try:
        return int(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def env_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in env_str(name, default).split(",") if item.strip()]


def env_turn_urls(name: str) -> list[str]:
    """Read addresses of TURN servers (RFC 7065), separated by commas. Raises ImproperlyConfigured for anything else."""
    urls = env_list(name)
    for url in urls:
        if not re.fullmatch(r"turns?:[^/?#@\s]+(:\d{1,5})?(\?transport=(udp|tcp))?", url):
            raise ImproperlyConfigured(f"{name} must be like turn:turn.example.org:3478?transport=udp, not {url!r}.")
    return urls


def env_clamd(name: str) -> str | tuple[str, int] | None:
    """Read where a ClamAV daemon listens: ``unix:/path`` as its path, ``host:port`` as both, None if it is empty.

    Raises ImproperlyConfigured for anything else.
    """
    text = env_str(name)
    if not text:
        return None
    if path := re.fullmatch(r"unix:(/[^/].*)", text):
        return path[1]
    there = re.fullmatch(r"([A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text)
    if not there or not 0 < int(there[2]) < 2**16:
        raise ImproperlyConfigured(f"{name} must be like unix:/run/clamav/clamd.ctl or host:3310, not {text!r}.")
    return there[1].strip("[]"), int(there[2])


def env_session_limits(name: str, default: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Read limits of sessions, such as ``clinician=30/720,patient=60/1440``: minutes without activity, and in all.

    Roles that are not named keep what ``default`` says. Raises ImproperlyConfigured for unknown roles, less than five
    minutes without activity, more than an hour, or more than a day in all (NIST SP 800-63B-4 section 2.2.3).
    """
    limits = dict(default)
    for item in env_list(name):
        found = re.fullmatch(r"(\w+)=(\d+)/(\d+)", item)
        if not found or found[1] not in default:
            raise ImproperlyConfigured(f"{name} must be like clinician=30/720, with a role's name, not {item!r}.")
        idle, absolute = int(found[2]), int(found[3])
        if not 5 <= idle <= 60 or not idle <= absolute <= 24 * 60:
            raise ImproperlyConfigured(f"{name}: 5 to 60 minutes without activity, and in all a day at most: {item!r}.")
        limits[found[1]] = (idle, absolute)
    return limits


def env_url(name: str, default: str = "", *, schemes: tuple[str, ...]) -> SplitResult:
    """Read the URL of a server: scheme, host, perhaps port, user and password.

    Raises ImproperlyConfigured for anything else: what is misread in silence is found out by whom no mail reaches.
    """
    url = urlsplit(env_str(name, default))
    try:
        is_good = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number
        is_good = False
    if not is_good or url.path not in {"", "/"} or url.query or url.fragment:
        # Without the value: it may hold a password.
        raise ImproperlyConfigured(f"{name} must be like {' or '.join(f'{scheme}://host' for scheme in schemes)}.")
    return url


def smtp_settings(url: SplitResult) -> dict[str, Any]:
    """Django's settings for ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…:465``.

    User and password may be percent-encoded, as the @ in a user's name must be. Without a user
    ``smtp`` is plain, for a mail server on the same machine.
    """
    is_tls = url.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": url.hostname,
        "EMAIL_PORT": url.port or (465 if is_tls else 587),
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_SSL": is_tls,
        "EMAIL_USE_TLS": not is_tls and bool(url.username),
    }


def sms_backend(name: str) -> str:
    """The backend for text messages by its short name. Raises ImproperlyConfigured for one that there is not."""
    backends = {
        "file": "visits.reminders.channels.sms.FileBackend",
        "console": "visits.reminders.channels.sms.ConsoleBackend",
        "twilio": "visits.reminders.channels.twilio.TwilioBackend",
    }
    chosen = env_str(name, "file")
    if chosen not in backends:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(backends)}, not {chosen!r}.")
    return backends[chosen]


def env_given_secret(name: str) -> str:
    """Read a secret that somebody else made, taken as it is, from ``NAME`` or the file that ``NAME_FILE`` names.

    Raises ImproperlyConfigured when there is none.
    """
    value = _from_file_or_variable(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set.")
    return value


def mail_provider_settings(provider: str) -> dict[str, Any]:
    """Django's settings for a provider of django-anymail, such as ``postmark`` or ``mailgun``.

    Its keys are a JSON object in ``TELEHEALTH_MAIL_PROVIDER_SETTINGS``, under the names that django-anymail gives
    them. With ``TELEHEALTH_MAIL_WEBHOOK_SECRET`` the provider's reports are taken, from the user ``telehealth`` with
    that password.
    """
    if find_spec(f"anymail.backends.{provider}") is None or provider in {"base", "base_requests", "console", "test"}:
        raise ImproperlyConfigured(f"TELEHEALTH_MAIL_PROVIDER: django-anymail knows no {provider!r}.")
    try:
        keys = json.loads(env_given_secret("TELEHEALTH_MAIL_PROVIDER_SETTINGS"))
    except ValueError:
        keys = None
    if not isinstance(keys, dict):
        raise ImproperlyConfigured('TELEHEALTH_MAIL_PROVIDER_SETTINGS must be like {"POSTMARK_SERVER_TOKEN": "…"}.')
    has_webhooks = any(env_str(f"TELEHEALTH_MAIL_WEBHOOK_SECRET{suffix}") for suffix in ("", "_FILE"))
    if has_webhooks:
        keys["WEBHOOK_SECRET"] = f"telehealth:{env_secret('TELEHEALTH_MAIL_WEBHOOK_SECRET', min_length=24)}"
    return {
        "EMAIL_BACKEND": f"anymail.backends.{provider}.EmailBackend",
        "ANYMAIL": {"REQUESTS_TIMEOUT": (5, 20)} | keys,
        "MAIL_WEBHOOKS": has_webhooks,
    }


def env_secret(name: str, *, min_length: int = 40) -> str:
    """Read a secret from ``NAME`` or the file that ``NAME_FILE`` names.

    Raises ImproperlyConfigured when it is missing, shorter than ``min_length`` characters, or
    plainly weak, so that a server never starts with a guessable key.
    """
    value = _from_file_or_variable(name)
    hint = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    too_plain = len(set(value)) < 12 or any(word in value.lower() for word in WEAK_SECRETS)
    if len(value) < min_length or too_plain:
        raise ImproperlyConfigured(f"{name} is too weak (at least {min_length} random characters). {hint}")
    return value


def env_data_keys(name: str) -> tuple[tuple[str, bytes], ...]:
    """Read ``id:key,id:key`` from ``NAME`` or the file that ``NAME_FILE`` names; a key is 32 bytes in base 64.

    Raises ImproperlyConfigured when there is none, or one that is no such key or plainly weak; never says what it is.
    """
    hint = (
        "Make a key with: python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'"
    )
    found: dict[str, bytes] = {}
    for item in _from_file_or_variable(name).replace("\n", ",").split(","):
        key_id, _, text = item.strip().partition(":")
        if not item.strip():
            continue
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError:  # binascii.Error is one; and what is not ASCII
            key = b""
        if not re.fullmatch(r"[a-z0-9-]{1,16}", key_id) or key_id in found:
            raise ImproperlyConfigured(
                f"{name} must be like id:key,id:key, each id of a-z, 0-9 and -, and once. {hint}"
            )
        if len(key) != 32 or len(set(key)) < 12:
            raise ImproperlyConfigured(f"{name}: key {key_id!r} must be 32 random bytes in base 64. {hint}")
        found[key_id] = key
    if not found:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    return tuple(found.items())


def _from_file_or_variable(name: str) -> str:
    path = env_str(f"{name}_FILE")
    try:
        return Path(path).read_text().strip() if path else env_str(name)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
