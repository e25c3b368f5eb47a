"""The language of a page: what this browser was switched to, else that of the person it is for."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation


def page_language() -> str:
    """The language of the page or message that is being made: en or es."""
    return (translation.get_language() or "en")[:2]


def speak(request: HttpRequest, language: str) -> None:
    """Answer in ``language``, unless somebody switched this browser to one (django.views.i18n.set_language)."""
    if request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) in dict(settings.LANGUAGES):
        return
    translation.activate(language)
    request.LANGUAGE_CODE = language


def forget_switch(response: HttpResponse) -> None:
    """Somebody else may use this browser now: begin with their own language."""
    response.delete_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        samesite="Lax",
    )
