"""What the environment says, read right or refused aloud."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from telehealth.env import env_clamd, env_data_keys, env_secret, env_turn_urls, env_url, smtp_settings

ROOT = Path(__file__).resolve().parents[2]


def settings_with(**variables: str) -> dict[str, Any]:
    """Some settings as a fresh process has them."""
    names = ("ALLOWED_HOSTS", "BASE_URL", "EMAIL_HOST_USER", "EMAIL_USE_TLS", "SESSION_COOKIE_SECURE", "SOCKET_ORIGINS",
             "SESSION_COOKIE_NAME", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE",
             "CSRF_COOKIE_HTTPONLY", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS",
             "SECURE_HSTS_INCLUDE_SUBDOMAINS")  # fmt: skip
    values = f"{{name: getattr(settings, name, None) for name in {names}}}"
    code = f"import json; from telehealth import settings; print(json.dumps({values}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_further_hosts_leave_the_host_of_the_base_url_in() -> None:
    found = settings_with(TELEHEALTH_BASE_URL="https://visits.example.org/", TELEHEALTH_ALLOWED_HOSTS="www.example.org")

    assert found["ALLOWED_HOSTS"] == ["visits.example.org", "www.example.org"]
    assert found["BASE_URL"] == "https://visits.example.org"
    assert found["SOCKET_ORIGINS"] == ["https://visits.example.org"]
    assert found["SESSION_COOKIE_SECURE"] is True


def test_https_brings_hsts_and_cookies_of_this_host_alone() -> None:
    """Row 37 of the checklist: HSTS for a year, and no cookie that plain HTTP or a script could read."""
    found = settings_with(TELEHEALTH_BASE_URL="https://visits.example.org")

    assert found["SECURE_SSL_REDIRECT"] is found["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True
    assert found["SECURE_HSTS_SECONDS"] >= 365 * 24 * 3600
    for name in ("SESSION", "CSRF"):
        assert found[f"{name}_COOKIE_NAME"].startswith("__Host-")
        assert found[f"{name}_COOKIE_SECURE"] is found[f"{name}_COOKIE_HTTPONLY"] is True


def test_mail_settings_reach_django() -> None:
    found = settings_with(TELEHEALTH_SMTP_URL="smtp://clinic%40example.org:x@mail.example.org")

    assert (found["EMAIL_HOST_USER"], found["EMAIL_USE_TLS"]) == ("clinic@example.org", True)


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password", "ssl", "starttls"),
    [
        ("smtp://clinic%40example.org:p%40ss%2F@mail.example.org", "mail.example.org", 587, "clinic@example.org",
         "p@ss/", False, True),
        ("smtps://u:p@mail.example.org", "mail.example.org", 465, "u", "p", True, False),
        ("smtp://127.0.0.1:25", "127.0.0.1", 25, "", "", False, False),
    ],
)  # fmt: skip
def test_mail_server(url: str, host: str, port: int, user: str, password: str, ssl: bool, starttls: bool) -> None:
    found = smtp_settings(urlsplit(url))

    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == (user, password)
    assert (found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (ssl, starttls)


@pytest.mark.parametrize(
    "value",
    ["", "mail.example.org:587", "mail.example.org", "ftp://host", "smtp://", "smtp://host:x", "smtp://host/path",
     "smtp://u:hidden?@host"],
)  # fmt: skip
def test_a_url_that_is_none_stops_the_start_without_being_repeated(monkeypatch: Any, value: str) -> None:
    monkeypatch.setenv("TELEHEALTH_SMTP_URL", value)

    with pytest.raises(
        ImproperlyConfigured, match=r"TELEHEALTH_SMTP_URL must be like smtp://host or smtps://host"
    ) as no:
        env_url("TELEHEALTH_SMTP_URL", schemes=("smtp", "smtps"))

    assert "hidden" not in str(no.value)


@pytest.mark.parametrize("value", ["", "short", "a" * 60, "changeme" * 8, "my-secret-key-0123456789-abcdefghijklmnop"])
def test_missing_and_weak_secrets_stop_the_start(monkeypatch: Any, value: str) -> None:
    monkeypatch.setenv("TELEHEALTH_SECRET_KEY", value)

    with pytest.raises(ImproperlyConfigured, match="TELEHEALTH_SECRET_KEY"):
        env_secret("TELEHEALTH_SECRET_KEY")


def test_a_secret_may_come_from_a_file(monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("Gk3v-8LqZp0RtYw7XeNb2MfJd6HsUc5TaVi9OzEr1Q\n")
    monkeypatch.setenv("TELEHEALTH_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert env_secret("TELEHEALTH_SECRET_KEY").startswith("Gk3v")

    monkeypatch.setenv("TELEHEALTH_SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env_secret("TELEHEALTH_SECRET_KEY")


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("turn:turn.example.org:3478?transport=udp, turns:turn.example.org:443?transport=tcp",
         ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:443?transport=tcp"]),
        ("turn:192.0.2.1", ["turn:192.0.2.1"]),
    ],
)  # fmt: skip
def test_turn_servers(monkeypatch: pytest.MonkeyPatch, text: str, urls: list[str]) -> None:
    monkeypatch.setenv("TELEHEALTH_TURN_URLS", text)

    assert env_turn_urls("TELEHEALTH_TURN_URLS") == urls


@pytest.mark.parametrize("wrong", ["stun:stun.example.org", "turn.example.org", "turn://turn.example.org", "turn:a b"])
def test_what_is_no_turn_server_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("TELEHEALTH_TURN_URLS", wrong)

    with pytest.raises(ImproperlyConfigured, match="TELEHEALTH_TURN_URLS"):
        env_turn_urls("TELEHEALTH_TURN_URLS")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        ("unix:/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl"),
        ("127.0.0.1:3310", ("127.0.0.1", 3310)),
        ("clam-av.clinic.example:3310", ("clam-av.clinic.example", 3310)),
        ("[::1]:3310", ("::1", 3310)),
    ],
)
def test_where_the_virus_scanner_is(monkeypatch: pytest.MonkeyPatch, text: str, address: Any) -> None:
    monkeypatch.setenv("TELEHEALTH_CLAMD", text)

    assert env_clamd("TELEHEALTH_CLAMD") == address


@pytest.mark.parametrize(
    "wrong",
    ["clamd", "localhost", "localhost:", ":3310", "localhost:0", "localhost:65536", "localhost:clamd", "unix:",
     "unix:clamd.ctl", "unix:///", "/run/clamav/clamd.ctl", "tcp://localhost:3310", "a b:3310", "::1:3310",
     f"{'a' * 64}:3310", "no"],
)  # fmt: skip
def test_what_is_no_virus_scanner_stops_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("TELEHEALTH_CLAMD", wrong)

    with pytest.raises(ImproperlyConfigured, match=r"TELEHEALTH_CLAMD must be like unix:/run/clamav/clamd.ctl or"):
        env_clamd("TELEHEALTH_CLAMD")


KEYS = [base64.b64encode(bytes(range(start, start + 32))).decode() for start in (0, 32)]


@pytest.mark.parametrize("between", [",", ", ", "\n"])
def test_data_keys_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, between: str) -> None:
    (tmp_path / "keys").write_text(f"2027:{KEYS[1]}{between}2026:{KEYS[0]}\n")
    monkeypatch.setenv("TELEHEALTH_DATA_KEYS_FILE", str(tmp_path / "keys"))

    assert env_data_keys("TELEHEALTH_DATA_KEYS") == (("2027", bytes(range(32, 64))), ("2026", bytes(range(32))))


@pytest.mark.parametrize(
    "wrong",
    ["", KEYS[0], f"A:{KEYS[0]}", f":{KEYS[0]}", f"{'a' * 17}:{KEYS[0]}", f"a:{KEYS[0]},a:{KEYS[1]}", "a:",
     "a:c2hvcnQ=", f"a:{KEYS[0]}AAAA", "a:" + base64.b64encode(b"x" * 32).decode(), f"a:{KEYS[0][:-3]}é"],
)  # fmt: skip
def test_what_is_no_data_key_stops_the_start_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("TELEHEALTH_DATA_KEYS", wrong)

    with pytest.raises(ImproperlyConfigured, match="TELEHEALTH_DATA_KEYS") as refused:
        env_data_keys("TELEHEALTH_DATA_KEYS")

    assert KEYS[0][:20] not in str(refused.value)
