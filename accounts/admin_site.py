"""The Django admin without a door of its own: people come in by ``accounts:signin``, second factor and all."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.doors import MARK, PUBLIC


class TelehealthAdminSite(AdminSite):
    site_header = _("Telehealth administration")
    site_title = _("Telehealth administration")
    index_title = _("Administration")
    site_url = "/"
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take only what knows whose rows are whose: other packages' admins (TOTP keys, groups) stay out."""
        from accounts.admin_base import ClinicScopedAdmin

        if admin_class is not None and issubclass(admin_class, ClinicScopedAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect(f"{reverse('accounts:signin')}?{urlencode({'next': reverse('admin:index')})}")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """The admin's own button is a POST; ours ends the session and records it."""
        from accounts.login.views import sign_out

        return sign_out(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        return redirect("accounts:password")


# Signing in is for those who are not in yet.
setattr(TelehealthAdminSite.login, MARK, PUBLIC)
