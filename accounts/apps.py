"""Accounts: who you are and what your role may do. Knows nothing of visits."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    default = True
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from accounts.patients import receivers as _patients  # noqa: F401 - connects itself
        from accounts.sessions import receivers  # noqa: F401 - connects itself


class AdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "accounts.admin_site.TelehealthAdminSite"
