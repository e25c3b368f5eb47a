"""``manage.py check --deploy``: what must not be where real people are, beside what Django asks itself.

Missing and weak secrets are not among it: with those nothing starts at all (``telehealth.env``).
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from accounts.models import User

NO_MAIL = ".example"  # nobody has an address there (RFC 2606 section 2): the people of a demo have
SECRETS = ["SECRET_KEY", "RELAY_SECRET", "AUDIT_KEY", "TURN_SECRET", "METRICS_TOKEN"]
SAME_MACHINE = {"", "localhost", "127.0.0.1", "::1"}


@register(Tags.security, deploy=True)
def check_is_for_real_people(**kwargs: Any) -> list[CheckMessage]:
    """Neither demo nor debug pages, and HTTPS (45 CFR 164.312(e)(1))."""
    found: list[CheckMessage] = []
    if settings.DEMO:
        found.append(Error("TELEHEALTH_DEMO is on: anybody reads mails and codes at /dev/.", id="telehealth.E001"))
    if settings.DEBUG:
        found.append(Error("TELEHEALTH_DEBUG is on: errors show patients' data.", id="telehealth.E002"))
    if not settings.HTTPS:
        words = "TELEHEALTH_BASE_URL is not https: what people say is read on the way, and browsers open no camera."
        found.append(Error(words, id="telehealth.E003"))
    return found


@register(Tags.security, deploy=True)
def check_secrets_differ(**kwargs: Any) -> list[CheckMessage]:
    """One secret for one purpose: who gets hold of one has no other."""
    given = [value for name in SECRETS if (value := getattr(settings, name))]
    if len(set(given)) == len(given):
        return []
    hint = "Secrets are: " + ", ".join(f"TELEHEALTH_{name}" for name in SECRETS) + "."
    return [Error("Two secrets are the same.", hint=hint, id="telehealth.E004")]


@register(Tags.security, deploy=True)
def check_no_demo_people(**kwargs: Any) -> list[CheckMessage]:
    """No accounts whose password the whole world knows (OWASP ASVS 5.0, 6.3.2)."""
    try:
        count = User.objects.filter(is_active=True, email__iendswith=NO_MAIL).count()
    except DatabaseError:
        return [Warning("The database does not answer, or is not migrated.", id="telehealth.W001")]
    if not count:
        return []
    hint = "They come from the demo. Begin with an empty database."
    return [Error(f"{count} people who may sign in have addresses at {NO_MAIL}.", hint=hint, id="telehealth.E005")]


@register(Tags.security, deploy=True)
def check_messages_leave(**kwargs: Any) -> list[CheckMessage]:
    """Mails go to people, not into files."""
    if "filebased" not in settings.EMAIL_BACKEND:
        return []
    hint = "Set TELEHEALTH_SMTP_URL or TELEHEALTH_MAIL_PROVIDER."
    return [Warning("Mails become files: nobody gets an invitation or a reminder.", hint=hint, id="telehealth.W002")]


@register(Tags.security, deploy=True)
def check_servers_are_reached_safely(**kwargs: Any) -> list[CheckMessage]:
    """TLS to a database, a Redis and a mail server on other machines, and a password for that Redis."""
    found: list[CheckMessage] = []
    database = connection.settings_dict
    is_remote = database["HOST"] not in SAME_MACHINE and not database["HOST"].startswith("/")
    if is_remote and database["OPTIONS"].get("sslmode") not in {"require", "verify-ca", "verify-full"}:
        hint = "Add ?sslmode=verify-full to TELEHEALTH_DATABASE_URL."
        found.append(
            Error("The database is on another machine and reached without TLS.", hint=hint, id="telehealth.E006")
        )
    redis = urlsplit(settings.REDIS_URL)
    if redis.scheme != "unix" and (redis.hostname or "") not in SAME_MACHINE:
        if redis.scheme != "rediss":
            found.append(
                Error("Redis is on another machine and reached without TLS (rediss://).", id="telehealth.E007")
            )
        if not redis.password:
            found.append(Error("Redis is on another machine and asks for no password.", id="telehealth.E008"))
    is_smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and settings.EMAIL_HOST not in SAME_MACHINE
    if is_smtp and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        words = "The mail server is on another machine and reached without TLS: links and codes are read on the way."
        found.append(Error(words, hint="Use smtps://, or smtp:// with a user.", id="telehealth.E009"))
    return found


@register(Tags.security, deploy=True)
def check_scanner_is_here(**kwargs: Any) -> list[CheckMessage]:
    """Lists of people go to the virus scanner as they are: its daemon knows no TLS."""
    if not settings.CLAMD or isinstance(settings.CLAMD, str) or settings.CLAMD[0] in SAME_MACHINE:
        return []
    hint = "Run it on this machine, or reach it through a network that nobody else is on."
    words = "The virus scanner is on another machine: what people send in is read on the way."
    return [Warning(words, hint=hint, id="telehealth.W003")]


@register(Tags.security, deploy=True)
def check_pages_are_ours(**kwargs: Any) -> list[CheckMessage]:
    """Neither hosts nor the pages that may open sockets are anybody's (OWASP ASVS 5.0, 4.4.2)."""
    names = ("ALLOWED_HOSTS", "SOCKET_ORIGINS")
    open_ = [f"TELEHEALTH_{name}" for name in names if "*" in getattr(settings, name)]
    return [Error(f"{' and '.join(open_)} may not be *.", id="telehealth.E010")] if open_ else []
