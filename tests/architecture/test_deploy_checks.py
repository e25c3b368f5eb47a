"""``manage.py check --deploy`` says nothing of a good installation, and names what is wrong with others."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.checks import run_checks
from django.db import connection

from telehealth.env import smtp_settings
from tests import factories

ROOT = Path(__file__).parents[2]
GOOD = {
    "TELEHEALTH_BASE_URL": "https://visits.clinic.org",
    "TELEHEALTH_DEMO": "no",
    "TELEHEALTH_DEBUG": "no",
    "TELEHEALTH_SMTP_URL": "smtps://mail.clinic.org:465",
    "TELEHEALTH_REDIS_URL": "rediss://:long-password@cache.clinic.org:6379/0",
}


def said(**changed: str) -> str:
    """What the command prints of an installation, and how it ends."""
    fresh = {
        name: secrets.token_urlsafe(48)
        for name in ("TELEHEALTH_SECRET_KEY", "TELEHEALTH_RELAY_SECRET", "TELEHEALTH_AUDIT_KEY")
    }
    fresh["TELEHEALTH_DATA_KEYS"] = f"a:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    run = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "ERROR"],
        cwd=ROOT, env={**inherited, **fresh, **GOOD, **changed}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return f"{run.returncode} {run.stdout} {run.stderr}"


def ids() -> set[str]:
    return {str(one.id) for one in run_checks(tags=["security"], include_deployment_checks=True)}


def test_a_good_installation_passes_and_one_for_a_demo_does_not():
    """Row 36 of the checklist: no weak secret, demo or debug page where real people are."""
    good = said()
    assert good.startswith("0 ")
    assert "W001" in good  # there is no database in this test: everything else is silent
    assert "identified 1 issue" in good
    bad = said(TELEHEALTH_DEMO="yes", TELEHEALTH_DEBUG="yes", TELEHEALTH_BASE_URL="http://visits.clinic.org")
    assert bad.startswith("1 ")
    assert all(f"telehealth.E00{number}" in bad for number in (1, 2, 3))
    misread = said(TELEHEALTH_CLAMD="clamav")
    assert not misread.startswith("0 ")
    assert "TELEHEALTH_CLAMD must be like" in misread


@pytest.mark.django_db
def test_secrets_must_differ(settings):
    settings.RELAY_SECRET = settings.SECRET_KEY
    assert "telehealth.E004" in ids()


@pytest.mark.django_db
def test_people_of_the_demo_are_found():
    """Row 36 of the checklist: no default accounts (OWASP ASVS 5.0, 6.3.2)."""
    assert "telehealth.E005" not in ids()
    person = factories.make_user(email="amara.okafor@riverside.example")
    assert "telehealth.E005" in ids()
    person.is_active = False
    person.save()
    assert "telehealth.E005" not in ids()


@pytest.mark.django_db
def test_a_mail_server_elsewhere_wants_tls(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    for url, is_refused in [
        ("smtp://mail.clinic.org", True),
        ("smtp://user:word@mail.clinic.org", False),
        ("smtps://mail.clinic.org", False),
        ("smtp://localhost", False),
    ]:
        for name, value in smtp_settings(urlsplit(url)).items():
            setattr(settings, name, value)
        assert ("telehealth.E009" in ids()) is is_refused, url


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["ALLOWED_HOSTS", "SOCKET_ORIGINS"])
def test_not_everybodys_pages_are_ours(settings, name):
    assert "telehealth.E010" not in ids()
    setattr(settings, name, [*getattr(settings, name), "*"])
    assert "telehealth.E010" in ids()


@pytest.mark.django_db
def test_a_virus_scanner_elsewhere_is_named(settings):
    for address, is_named in [
        (None, False),
        ("/run/clamav/clamd.ctl", False),
        (("127.0.0.1", 3310), False),
        (("scan.clinic.org", 3310), True),
    ]:
        settings.CLAMD = address
        assert ("telehealth.W003" in ids()) is is_named, address


@pytest.mark.django_db
def test_servers_elsewhere_want_tls_and_a_password(settings):
    """Row 4 of the checklist: TLS to PostgreSQL and Redis."""
    settings.REDIS_URL = "redis://cache.clinic.org:6379/0"
    assert {"telehealth.E007", "telehealth.E008"} <= ids()
    settings.REDIS_URL = "rediss://:word@cache.clinic.org:6379/0"
    assert not {"telehealth.E007", "telehealth.E008"} & ids()
    here = dict(connection.settings_dict)
    try:
        connection.settings_dict["HOST"], connection.settings_dict["OPTIONS"] = "db.clinic.org", {}
        assert "telehealth.E006" in ids()
        connection.settings_dict["OPTIONS"] = {"sslmode": "verify-full"}
        assert "telehealth.E006" not in ids()
    finally:
        connection.settings_dict.update(here)
