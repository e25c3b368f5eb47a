"""What must never stand in a log: secrets that are part of an address."""

import logging
import re

SECRET_PATHS = re.compile(r"(/(?:v|password)/)[^\s'\"?]+")


class HideSecretPaths(logging.Filter):
    """Cuts the token out of links (``/v/…``, ``/password/…``) that Django names when a page fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if SECRET_PATHS.search(message):
            record.msg, record.args = SECRET_PATHS.sub(r"\1***", message), ()
        return True
