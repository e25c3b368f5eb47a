"""Headers that tell a browser what our pages may do and keep."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from telehealth.logs import SECRET_PATHS

PERMISSIONS_POLICY = (
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), "
    "speaker-selection=(self), geolocation=(), payment=(), usb=(), "
    "browsing-topics=(), interest-cohort=()"
)


METHODS = ("GET", "HEAD", "POST")


class MethodMiddleware:
    """405 for what no page of ours takes: Django's admin answers PUT and DELETE as if they were GET."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request) if request.method in METHODS else HttpResponseNotAllowed(METHODS)


class BrowserPolicyMiddleware:
    """Permissions-Policy and CORP everywhere; ``no-store`` on all that is no static file and says nothing else.

    Pages whose address is a secret do not name it to those that they load.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        if SECRET_PATHS.match(request.path):
            # Else a proxy would log the secret as the referrer of each style sheet. The origin stays for the
            # check of forms: with "no-referrer" browsers send "Origin: null".
            response["Referrer-Policy"] = "strict-origin"
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response
