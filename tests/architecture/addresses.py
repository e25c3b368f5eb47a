"""Every address of the project, as its routes have it: the one walk that all tests of doors and trails share."""

import re
import uuid
from collections.abc import Iterator
from functools import cache
from string import Formatter
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from accounts import doors

EXAMPLE = str(uuid.UUID(int=7))  # the id of nothing


class Route(NamedTuple):
    """``template`` is the path with its parameters in braces: /visits/{pk}/move/."""

    name: str  # as reverse() takes it; the path of what has no name
    template: str
    view: Any

    @property
    def fields(self) -> list[str]:
        return [field for _, field, _, _ in Formatter().parse(self.template) if field]

    @property
    def is_public(self) -> bool:
        return getattr(self.view, doors.MARK, None) == doors.PUBLIC

    @property
    def is_admin(self) -> bool:
        return self.template.startswith("/admin/")

    def path(self, **values: object) -> str:
        """The path of these things; what is not told is the id of nothing."""
        nothing = {"object_id": EXAMPLE, "pk": EXAMPLE, "other": EXAMPLE, "link": EXAMPLE, "key": "phone-0"}
        return self.template.format_map({field: "some" for field in self.fields} | nothing | values)


@cache
def routes() -> list[Route]:
    return sorted(set(_walk(get_resolver().url_patterns)), key=lambda route: (route.name, route.template))


def _walk(patterns: list[URLPattern | URLResolver], path: str = "/", namespace: str = "") -> Iterator[Route]:
    for pattern in patterns:
        here = path + _template(pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, here, inner)
        else:
            yield Route(f"{namespace}{pattern.name}" if pattern.name else here, here, pattern.callback)


def _template(pattern: URLPattern | URLResolver) -> str:
    text = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
    # The admin's few regular expressions: app labels, and "anything".
    text = re.sub(r"\(\?P\{(\w+)\}[^)]*\)", r"{\1}", text)
    return text.replace("^", "").replace("$", "")
