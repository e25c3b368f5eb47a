"""Bulk actions that ask first: a page says what would happen, and to whom."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

CONFIRMED = "confirmed"
SHOWN = 50

Act = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponseBase | None]
Answered = Callable[[Any, HttpRequest, QuerySet[Any], dict[str, Any]], HttpResponseBase | None]


def confirmed(action: Act) -> Act:
    """Have ``action`` run once the page that asks was answered; ``admin.action`` above it has the question."""

    @answered(forms.Form)
    @wraps(action)
    def without_answers(self: Any, request: HttpRequest, queryset: QuerySet[Any], said: Any) -> HttpResponseBase | None:
        return action(self, request, queryset)

    return without_answers


def answered(form_class: type[forms.Form]) -> Callable[[Answered], Act]:
    """The same, with questions of a form, whose answers ``action`` gets too."""

    def ask_by_form(action: Answered) -> Act:
        @wraps(action)
        def ask(self: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
            form = form_class(request.POST if CONFIRMED in request.POST else None)
            if form.is_valid():
                return action(self, request, queryset, form.cleaned_data)
            name = request.POST["action"]
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": self.get_actions(request)[name][2],
                "shown": queryset[:SHOWN],
                "more": max(0, queryset.count() - SHOWN),
                "form": form,
                "carried": [
                    ("action", name),
                    (CONFIRMED, "yes"),
                    ("select_across", request.POST.get("select_across", "0")),
                    *((ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)),
                ],
            }
            return render(request, "admin/confirm_action.html", context)

        return ask

    return ask_by_form
