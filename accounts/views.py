"""The front door."""

from django.http import HttpRequest, HttpResponse
from django.views.i18n import set_language as django_set_language

from accounts.doors import public


@public
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@public
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language of the pages (POST ``language``, ``next``)."""
    return django_set_language(request)
