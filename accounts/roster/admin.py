"""The admin's pages of a list that files go into and come out of.

A file is chosen, checked, and shown row by row; only then, on a second press, is it saved: all of it or nothing. Its
text waits in that page and not on the server, and is checked anew when it is saved.
"""

from types import ModuleType
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.login.stepup import fresh_factor, is_fresh
from accounts.models import AuditEvent
from accounts.principal import Principal
from accounts.roster import files
from accounts.roster.forms import FileForm
from accounts.roster.rows import Row

TEXT = "text"
SHOWN = 200


class RosterAdmin(ClinicScopedAdmin):
    """``roster`` is the module that knows the list's columns and rows: ``patients`` or ``people``."""

    change_list_template = "admin/roster/change_list.html"
    roster: ModuleType
    export_form: type[forms.Form]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        pages = {"import": self.import_file, "export": self.export_file, "template": self.template_file}
        own = [path(f"{at}/", self.admin_site.admin_view(page), name=f"{name}_{at}") for at, page in pages.items()]
        return [*own, *super().get_urls()]

    def import_file(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file, show what it would do, do it. A second factor is asked for first: files cannot wait."""
        principal = self._principal(request)
        if not request.FILES:
            return fresh_factor(lambda request: self._ask_or_save(request, principal))(request)
        if not is_fresh(request):
            messages.warning(request, _("It has been a while. Choose the file again."))
            return redirect(request.path)
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, "import", form=form)
        try:
            text = files.text_of(form.cleaned_data["file"].read())
            rows = self._checked(text, principal)
        except files.Unreadable as why:
            form.add_error("file", str(why))
            return self._page(request, "import", form=form)
        return self._shown(request, text, rows)

    def export_file(self, request: HttpRequest) -> HttpResponse:
        """Ask for which part of the list; POST sends it as a file, and says so on the trail."""
        principal = self._principal(request)
        return fresh_factor(lambda request: self._export(request, principal))(request)

    def template_file(self, request: HttpRequest) -> HttpResponse:
        """An example with all columns."""
        self._principal(request)
        return _file(files.written(self.roster.COLUMNS, [self.roster.EXAMPLE]), f"{self.roster.EVENT}-template.csv")

    def _principal(self, request: HttpRequest) -> Principal:
        principal = principal_of(request)
        if principal is None or not self.has_change_permission(request):
            raise PermissionDenied
        return principal

    def _ask_or_save(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        if request.method != "POST":
            return self._page(request, "import", form=FileForm())
        if TEXT not in request.POST:
            return self._page(request, "import", form=FileForm(request.POST))
        try:
            with transaction.atomic():
                rows = self._checked(request.POST[TEXT], principal)
                if any(row.errors for row in rows):
                    return self._shown(request, request.POST[TEXT], rows)
                self.roster.save(rows, principal=principal, request=request)
                detail = {"rows": len(rows), "new": _count(rows, "is_new"), "changed": _count(rows, "is_change")}
                self.record(request, f"{self.roster.EVENT}.import", AuditEvent.Action.EXECUTE, detail=detail)
        except files.Unreadable as why:
            messages.error(request, str(why))
            return self._page(request, "import", form=FileForm())
        except IntegrityError:
            messages.error(request, _("The list has changed meanwhile. Nothing was saved: choose the file again."))
            return redirect(request.path)
        done = _count(rows, "is_new") + _count(rows, "is_change")
        words = ngettext("%(count)d row was saved.", "%(count)d rows were saved.", done)
        messages.success(request, words % {"count": done})
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _export(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        form = self.export_form(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._page(request, "export", form=form)
        lookups = form.lookups()  # type: ignore[attr-defined]
        with transaction.atomic():
            rows = self.roster.listed(self.model._default_manager.filter(clinic=principal.clinic, **lookups))
            detail = {"rows": len(rows), "by": sorted(lookups)}
            self.record(request, f"{self.roster.EVENT}.export", AuditEvent.Action.EXECUTE, detail=detail)
        return _file(files.written(self.roster.COLUMNS, rows), f"{self.roster.EVENT}.csv")

    def _checked(self, text: str, principal: Principal) -> list[Row]:
        cells = files.rows_of(text, self.roster.COLUMNS, self.roster.REQUIRED)
        rows: list[Row] = self.roster.check(cells, principal=principal)
        return rows

    def _shown(self, request: HttpRequest, text: str, rows: list[Row]) -> HttpResponse:
        wrong = [row for row in rows if row.errors]
        news = [row for row in rows if not row.errors and not row.is_same]
        return self._page(
            request,
            "check",
            columns=self.roster.COLUMNS,
            text=text,
            rows=[*wrong, *news][:SHOWN],
            left_out=max(0, len(wrong) + len(news) - SHOWN),
            wrong=len(wrong),
            new=_count(news, "is_new"),
            changed=_count(news, "is_change"),
            same=_count(rows, "is_same"),
        )

    def _page(self, request: HttpRequest, name: str, **more: Any) -> HttpResponse:
        titles = {
            "import": _("Import from a file"),
            "export": _("Export into a file"),
            "check": _("What the file does"),
        }
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": titles[name],
            "template_url": f"admin:{self.opts.app_label}_{self.opts.model_name}_template",
            "columns": self.roster.COLUMNS,
            "required": self.roster.REQUIRED,
            **more,
        }
        return render(request, f"admin/roster/{name}.html", context)


def _count(rows: list[Row], name: str) -> int:
    return sum(bool(getattr(row, name)) for row in rows)


def _file(text: str, name: str) -> HttpResponse:
    # With a mark of its encoding, which spreadsheets need and ``files.text_of`` drops.
    return HttpResponse(
        f"\ufeff{text}",
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
