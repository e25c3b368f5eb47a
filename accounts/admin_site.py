"""The Django admin without a door of its own: people come in by ``accounts:signin``, second factor and all."""

from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.admin_sections import Section
from accounts.doors import MARK, PUBLIC
from accounts.principal import Principal

if TYPE_CHECKING:
    from accounts.admin_base import ClinicScopedAdmin


class TelehealthAdminSite(AdminSite):
    site_header = _("Telehealth administration")
    site_title = _("Telehealth administration")
    index_title = _("Administration")
    site_url = "/"
    enable_nav_sidebar = True

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What the person may open, by sections; of one app as Django has it."""
        apps: list[Any] = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        entries = {entry["model"]: entry for app in apps for entry in app["models"]}
        sections: dict[str, list[Any]] = {section: [] for section in Section}
        for model, model_admin in cast(dict[Any, "ClinicScopedAdmin"], self._registry).items():
            if model in entries:
                entry = {**entries[model], "about": model_admin.about}
                sections[model_admin.section].append(entry)
                for page in model_admin.pages:
                    link = {"name": page.name, "about": page.about, "admin_url": reverse(f"admin:{page.url}")}
                    sections[page.section].append(link)
        return [
            {"name": Section(key).label, "key": key, "models": models} for key, models in sections.items() if models
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().index(request, {"steps": self.steps(request), **(extra_context or {})})

    def steps(self, request: HttpRequest) -> list[dict[str, Any]]:
        """What the clinic needs before its first visit, in that order; nothing once it has some of each."""
        principal: Principal | None = getattr(request, "principal", None)
        admins = cast(list["ClinicScopedAdmin"], list(self._registry.values()))
        if principal is None:
            return []
        steps = [
            {
                "place": one.step.place,
                "words": one.step.words,
                "url": reverse(f"admin:{one.opts.app_label}_{one.opts.model_name}_add"),
                "is_begun": one.is_begun(principal.clinic),
            }
            for one in admins
            if one.step and one.has_add_permission(request)
        ]
        is_open = any(not step["is_begun"] for step in steps)
        return sorted(steps, key=itemgetter("place")) if is_open else []

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """The index is the one page of what there is."""
        return redirect("admin:index")

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
