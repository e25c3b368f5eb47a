from typing import Any

import pytest


@pytest.fixture(autouse=True)
def demo_pages(settings: Any, tmp_path: Any) -> None:
    """The demo's pages, and folders for mails and texts of the test's own."""
    settings.ROOT_URLCONF = "tests.demo.urls"
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.SMS_FILE_PATH = tmp_path / "sms"
