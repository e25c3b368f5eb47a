"""Who sends more than any page takes is refused before it lies on the disk."""

from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from telehealth.asgi import application

MEGABYTE = 2**20
PATH = "/messages/sms/twilio/"


async def send(chunks: int) -> tuple[int, int]:
    """Post so many megabytes to where anybody may; return the status and how many were taken."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    caller = ApplicationCommunicator(application, scope)
    for number in range(chunks):
        await caller.send_input({"type": "http.request", "body": b"x" * MEGABYTE, "more_body": number < chunks - 1})
    start = await caller.receive_output(10)
    await caller.wait(10)
    return start["status"], chunks - caller.input_queue.qsize()


@pytest.mark.django_db(transaction=True)
async def test_a_body_that_no_page_takes_is_refused_while_it_arrives() -> None:
    """Row 18 of the checklist: what is too large is not read to its end."""
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == MEGABYTE
    assert await send(50) == (413, 3)


@pytest.mark.django_db(transaction=True)
async def test_a_form_that_is_too_long_is_refused_by_its_page() -> None:
    status, _taken = await send(2)

    assert status in {400, 403}


@pytest.mark.django_db
def test_a_file_that_no_page_asked_for_is_not_kept(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    bomb = SimpleUploadedFile("bomb.zip", b"PK" + bytes(3 * MEGABYTE // 2))

    answer = client.post("/signin/", {"email": "rosa@example.org", "password": "x", "file": bomb})
    answer.close()

    assert answer.status_code == 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_more_files_than_any_page_takes_are_refused(client: Client) -> None:
    files = {f"file{n}": SimpleUploadedFile(f"{n}.txt", b"x") for n in range(101)}

    assert client.post("/signin/", files).status_code == 400
