"""Who sends more than any page takes is refused before it lies on the disk."""

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

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
