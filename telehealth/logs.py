"""What must never stand in a log: secrets that are part of an address, addresses of people, rows of the database."""

import logging
import re

# Pages whose address is the secret: a visit's link, a link for choosing a password, an invitation, a calendar feed, an
# offer, the answer to a message.
SECRET_PATHS = re.compile(r"(/(?:v|password|invitation|calendar/feed|offers|m)/)[^\s'\"?]+")
MAIL_ADDRESSES = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# What PostgreSQL adds to a refusal: the whole row, names and birth dates with it.
ROWS = re.compile(r"^DETAIL:.*$", re.MULTILINE)


class HidingFormatter(logging.Formatter):
    """Cuts both out of all that is written, the text of errors in tracebacks too, and the row that a database refused.

    Django names the address when a page fails; a mail server's refusal names whom it refused.
    """

    def format(self, record: logging.LogRecord) -> str:
        written = ROWS.sub("DETAIL: ***", super().format(record))
        return MAIL_ADDRESSES.sub("***@***", SECRET_PATHS.sub(r"\1***", written))
