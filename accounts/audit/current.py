"""The request that is being answered: for the trail, which says of each deed from where and by which request it came.

Services are called by pages and by workers alike, and are not handed it.
"""

from contextvars import ContextVar

from django.http import HttpRequest

current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)
