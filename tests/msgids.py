"""Every text that the code and the templates mark for translation, found without xgettext."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
# What a call's text arguments are: a context, a text, the text for many.
CALLS = {
    "_": "t",
    "gettext": "t",
    "gettext_lazy": "t",
    "gettext_noop": "t",
    "ngettext": "tm",
    "ngettext_lazy": "tm",
    "pgettext": "ct",
    "pgettext_lazy": "ct",
    "npgettext": "ctm",
    "npgettext_lazy": "ctm",
}
_TEXT = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(rf"\b({'|'.join(CALLS)})\(\s*({_TEXT}(?:\s*,\s*{_TEXT})*)")


class Message(NamedTuple):
    context: str
    text: str
    many: str = ""


@cache
def marked() -> dict[Message, str]:
    """All messages, each with a file that has it."""
    found: dict[Message, str] = {}
    for folder in ("accounts", "visits", "telehealth"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= {message: str(path.relative_to(ROOT)) for message in in_python(path.read_text())}
    for path in templates():
        found |= {message: str(path.relative_to(ROOT)) for message in in_template(path.read_text())}
    return found


def templates() -> list[Path]:
    return sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"})


def in_python(source: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            yield from _message(node.func.id, texts)


def in_template(source: str) -> Iterator[Message]:
    """Django turns a template into the calls that xgettext would read."""
    for name, texts in _CALL.findall(templatize(source)):
        yield from _message(name, list(ast.literal_eval(f"({texts},)")))


def _message(call: str, texts: list[str]) -> Iterator[Message]:
    kinds = CALLS[call]
    if len(texts) >= len(kinds):
        parts = dict(zip(kinds, texts, strict=False))
        yield Message(parts.get("c", ""), parts["t"], parts.get("m", ""))
