"""What is sent in as a file is shown to the virus scanner, and goes no further without its verdict."""

import logging
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import AuditEvent, Clinic, Patient, User
from accounts.uploads import clamd, fields
from tests.clamd import EICAR, Behaviour, judge, listening, saying, streamed

ROOT = Path(__file__).resolve().parents[2]
IMPORT = "/admin/accounts/patient/import/"
LIST = b"given_name,family_name,birth_date,email\nRosa,Marin,1979-03-14,rosa@example.org\n"
LIMIT = b"INSTREAM size limit exceeded. ERROR\0"


def choose(browser: Client, content: bytes) -> Any:
    return browser.post(IMPORT, {"file": SimpleUploadedFile("Rosa Marin.csv", content, "text/csv")})


def hang(caller: socket.socket) -> None:
    streamed(caller)
    caller.recv(1)  # until they leave


def trickle(caller: socket.socket) -> None:
    streamed(caller)
    while True:
        caller.sendall(b"s")
        time.sleep(0.1)


def ignore(caller: socket.socket) -> None:
    time.sleep(2)


def close_half_way(caller: socket.socket) -> None:
    caller.recv(20)


def exceed(caller: socket.socket) -> None:
    """As clamd does with more than its StreamMaxLength: answer while they still send, and close a little later."""
    caller.recv(20)
    caller.sendall(LIMIT)
    caller.shutdown(socket.SHUT_WR)
    while caller.recv(65_536):
        pass


# --- what the scanner says


@pytest.mark.parametrize("by_path", [True, False])
def test_the_scanner_is_asked_in_its_own_words(tmp_path: Path, by_path: bool) -> None:
    seen: list[bytes] = []

    def listen(caller: socket.socket) -> None:
        seen.append(streamed(caller))
        caller.sendall(b"stream: OK\0")

    with listening(listen, tmp_path / "clamd.ctl" if by_path else None) as address:
        assert clamd.scan(b"x" * 700_000, address, seconds=5) == ""

    assert seen == [b"x" * 700_000]


def test_what_is_found_has_its_name() -> None:
    with listening(judge) as address:
        assert clamd.scan(LIST + EICAR, address, seconds=5) == "Eicar-Signature"
        assert clamd.scan(LIST, address, seconds=5) == ""


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (exceed, "too_large"),
        (saying(LIMIT), "too_large"),
        (saying(b"INSTREAM: Can't write to temporary file. ERROR\0"), "error"),
        (saying(b"stream: OK"), "error"),
        (saying(b"stream: OK\0stream: OK\0"), "error"),
        (saying(b"stream:  FOUND\0"), "error"),
        (saying(b"UNKNOWN COMMAND\0"), "error"),
        (saying(b"\xff\xfe\0"), "error"),
        (saying(b"stream: " + b"x" * 5000), "error"),
        (saying(b""), "error"),
        (close_half_way, None),  # on the way or at the end: either way there is no verdict
    ],
)
def test_without_a_whole_answer_there_is_no_verdict(behaviour: Behaviour, reason: str | None) -> None:
    with listening(behaviour) as address, pytest.raises(clamd.Unchecked) as why:
        clamd.scan(b"x" * 700_000, address, seconds=10)

    assert why.value.reason == reason or (reason is None and why.value.reason in {"error", "unreachable"})


@pytest.mark.parametrize("behaviour", [hang, trickle, ignore])
def test_a_scanner_that_is_silent_slow_or_does_not_read_is_not_waited_for(behaviour: Behaviour) -> None:
    with listening(behaviour) as address:
        begun = time.monotonic()
        with pytest.raises(clamd.Unchecked, match="timeout"):
            clamd.scan(b"x" * 20_000_000, address, seconds=0.5)
        took = time.monotonic() - begun

    assert took < 2


def test_nobody_is_there(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for address in (unused.getsockname(), str(tmp_path / "none"), str(tmp_path / ("long" * 50))):
            with pytest.raises(clamd.Unchecked, match="unreachable"):
                clamd.scan(b"x", address, seconds=1)


# --- what becomes of the file


def test_a_file_in_which_nothing_is_found_goes_on(verified: Any, clinic_admin: User, settings: Any) -> None:
    with listening(judge) as settings.CLAMD:
        shown = choose(verified(clinic_admin), LIST)

    assert shown.context["new"] == 1
    assert not AuditEvent.objects.filter(subtype="upload.refuse").exists()


def test_what_is_found_is_refused_at_the_field_and_put_on_the_trail(
    verified: Any, clinic_admin: User, clinic: Clinic, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(judge) as settings.CLAMD, caplog.at_level(logging.WARNING):
        answer = choose(verified(clinic_admin), LIST + EICAR)

    assert answer.status_code == 200
    assert answer.context["form"].errors == {
        "file": ["This file was not taken: the virus scanner found Eicar-Signature in it."]
    }
    assert "the virus scanner found Eicar-Signature in it" in answer.content.decode()
    event = AuditEvent.objects.get(subtype="upload.refuse")
    assert (event.user, event.clinic, event.role) == (clinic_admin, clinic, "clinic_admin")
    assert (event.outcome, event.address) == (AuditEvent.Outcome.MINOR_FAILURE, "127.0.0.1")
    assert event.detail == {"found": "Eicar-Signature", "bytes": len(LIST + EICAR)}
    assert "Eicar-Signature" in caplog.text
    assert "Rosa" not in caplog.text + str(event.detail)
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("behaviour", "words", "reason"),
    [
        (saying(b"INSTREAM: Can't write to temporary file. ERROR\0"), "could not be checked for viruses", "error"),
        (saying(b"stream: O"), "could not be checked for viruses", "error"),
        (saying(LIMIT), "larger than the virus scanner takes", "too_large"),
    ],
)
def test_without_a_verdict_nothing_passes(
    verified: Any, clinic_admin: User, settings: Any, caplog: pytest.LogCaptureFixture, behaviour: Behaviour,
    words: str, reason: str,
) -> None:  # fmt: skip
    with listening(behaviour) as settings.CLAMD:
        answer = choose(verified(clinic_admin), LIST)

    assert words in answer.context["form"].errors["file"][0]
    event = AuditEvent.objects.get(subtype="upload.refuse")
    assert (event.user, event.outcome) == (clinic_admin, AuditEvent.Outcome.SERIOUS_FAILURE)
    assert event.detail == {"reason": reason, "bytes": len(LIST)}
    assert f"no verdict ({reason})" in caplog.text
    assert "Rosa" not in caplog.text


def test_a_scanner_that_hangs_lets_nothing_through(
    verified: Any, clinic_admin: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fields.SECONDS <= 10
    monkeypatch.setattr(fields, "SECONDS", 0.5)
    with listening(hang) as settings.CLAMD:
        answer = choose(verified(clinic_admin), LIST)

    assert "could not be checked for viruses" in answer.context["form"].errors["file"][0]
    assert AuditEvent.objects.get(subtype="upload.refuse").detail == {"reason": "timeout", "bytes": len(LIST)}


def test_a_scanner_that_is_not_there_lets_nothing_through(
    verified: Any, clinic_admin: User, settings: Any, tmp_path: Path
) -> None:
    settings.CLAMD = str(tmp_path / "none")

    answer = choose(verified(clinic_admin), LIST)

    assert "could not be checked for viruses" in answer.context["form"].errors["file"][0]
    assert AuditEvent.objects.get(subtype="upload.refuse").detail == {"reason": "unreachable", "bytes": len(LIST)}


def test_what_is_too_large_is_not_shown_to_the_scanner(verified: Any, clinic_admin: User, settings: Any) -> None:
    seen: list[bytes] = []
    with listening(lambda caller: seen.append(caller.recv(1))) as settings.CLAMD:
        answer = choose(verified(clinic_admin), LIST + b"x" * 700_000)

    assert "too large" in answer.context["form"].errors["file"][0]
    assert seen == []


def test_without_a_scanner_files_are_taken(verified: Any, clinic_admin: User, settings: Any) -> None:
    assert settings.CLAMD is None

    assert choose(verified(clinic_admin), LIST).context["new"] == 1


@pytest.mark.django_db
def test_a_refused_file_takes_nothing_else_from_the_form(settings: Any) -> None:
    class Form(forms.Form):
        name = forms.CharField()
        file = fields.UploadField(max_bytes=1000)

    with listening(judge) as settings.CLAMD:
        form = Form({"name": "Rosa"}, {"file": SimpleUploadedFile("x", EICAR)})

        assert set(form.errors) == {"file"}
        assert 'value="Rosa"' in str(form["name"])
        clean = Form({"name": "Rosa"}, {"file": SimpleUploadedFile("x", LIST)})
        assert clean.is_valid()
        assert clean.cleaned_data["file"].read() == LIST


def test_every_form_takes_its_files_through_this_field() -> None:
    """No other field of files is made anywhere, and nobody reads files past their form."""
    found = {
        (path.relative_to(ROOT).as_posix(), word)
        for app in ("accounts", "visits", "telehealth")
        for path in (ROOT / app).rglob("*.py")
        for word in re.findall(r"FileField|FilePathField|ImageField|request\.FILES\b", path.read_text())
    }

    assert found == {("accounts/uploads/fields.py", "FileField"), ("accounts/roster/admin.py", "request.FILES")}


# --- the real one


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str | tuple[str, int]]]:
    """Where ClamAV's own daemon listens, which knows EICAR and nothing else, and takes 500 KB."""
    program = shutil.which("clamd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("clamd is not installed")
    place = tmp_path_factory.mktemp("clamd")
    (place / "db").mkdir()
    (place / "db" / "own.ndb").write_text(f"Eicar-Signature:0:*:{EICAR.hex()}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "clamd.conf").write_text(
        f"DatabaseDirectory {place}/db\nTemporaryDirectory {place}\nLocalSocket {place}/clamd.ctl\n"
        f"TCPSocket {port}\nTCPAddr 127.0.0.1\nStreamMaxLength 500K\nForeground yes\n"
    )
    run = subprocess.Popen([program, "-c", str(place / "clamd.conf")], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if (place / "clamd.ctl").exists() and run.poll() is None:
                break
            time.sleep(0.1)
        yield [str(place / "clamd.ctl"), ("127.0.0.1", port)]
    finally:
        run.terminate()
        run.wait(20)


def test_clamav_itself_finds_it(
    real: list[str | tuple[str, int]], verified: Any, clinic_admin: User, settings: Any
) -> None:
    for address in real:
        assert clamd.scan(LIST, address, seconds=10) == ""
        assert clamd.scan(LIST + EICAR, address, seconds=10) == "Eicar-Signature.UNOFFICIAL"
    settings.CLAMD = real[0]
    browser = verified(clinic_admin)

    assert "Eicar-Signature" in choose(browser, LIST + EICAR).context["form"].errors["file"][0]
    assert choose(browser, LIST).context["new"] == 1


def test_clamavs_own_limit_is_no_verdict(real: list[str | tuple[str, int]]) -> None:
    for address in real:
        with pytest.raises(clamd.Unchecked) as why:
            clamd.scan(b"x" * 700_000, address, seconds=10)
        assert why.value.reason in {"too_large", "unreachable"}  # a reset may be faster than the words before it
