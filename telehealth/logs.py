"""What must never stand in a log: secrets that are part of an address, addresses of people, rows of the database, and
lines that pass for a record of their own."""

import logging
import re

# Pages whose address is the secret: a visit's link, a link for choosing a password, an invitation, a calendar feed, an
# offer, the answer to a message.
SECRET_PATHS = re.compile(r"(/(?:v|password|invitation|calendar/feed|offers|m)/)[^\s'\"?]+")
MAIL_ADDRESSES = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# What PostgreSQL adds to a refusal: the whole row, names and birth dates with it, on as many lines as its values have.
ROWS = re.compile(r"^DETAIL:.*?(?=\n\nThe above exception |\n\nDuring handling |\Z)", re.MULTILINE | re.DOTALL)
# What begins a new line somewhere, or tells a terminal what to do, and what turns the order of letters around.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
CONTINUED = "    | "


class HidingFormatter(logging.Formatter):
    """Cuts them out of all that is written, the text of errors in tracebacks too, and the row that a database refused.

    Django names the address when a page fails; a mail server's refusal names whom it refused. A record is one line:
    control characters in it are written as escapes. The lines of a traceback follow it, each marked by ``CONTINUED``,
    whatever an error's text holds.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(hidden(super().formatMessage(record)))

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record).split("\n", 1)
        traceback = hidden(rest[0]).split("\n") if rest else []
        return "\n".join([first, *(CONTINUED + escaped(line) for line in traceback)])


def hidden(text: str) -> str:
    return MAIL_ADDRESSES.sub("***@***", SECRET_PATHS.sub(r"\1***", ROWS.sub("DETAIL: ***", text)))


def escaped(text: str) -> str:
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
