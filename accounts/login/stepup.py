"""Step-up: what matters much asks for the second factor again when it was given a while ago.

The page that asks takes the place of the one that was asked for, at the same address. What a form had sent is in
it, hidden, and goes on from there: nothing typed is lost, and nothing of it is kept on the server meanwhile.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from accounts.login.services import home_clinic
from accounts.mfa import services as mfa
from accounts.mfa.forms import clean_code, clean_recovery_code
from accounts.mfa.words import passkey_refusal, refusal
from accounts.models import User
from accounts.passkeys import services as passkeys
from accounts.principal import verified_user

PREFIX = "stepup"
ASKED_BY = f"{PREFIX}-method"  # how the page was asked for that we ask in place of

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class StepUpForm(forms.Form):
    """Any second factor of the person: a passkey, a code of their phone, or one of their recovery codes."""

    code = forms.CharField(
        label=_("6-digit code"),
        required=False,
        max_length=16,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "class": "code", "pattern": "[0-9 ]*"}
        ),
    )
    recovery_code = forms.CharField(
        label=_("Recovery code"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )

    # What a passkey answered, by the script of the page.
    credential = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_code(self) -> str:
        typed = self.cleaned_data["code"]
        return clean_code(typed) if typed else ""

    def clean_recovery_code(self) -> str:
        typed = self.cleaned_data["recovery_code"]
        return clean_recovery_code(typed) if typed else ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not any(cleaned.values()):
            self.add_error("code", _("Enter the 6-digit code."))
        return cleaned


def is_fresh(request: HttpRequest) -> bool:
    """Whether the second factor was given in this session within the last ten minutes."""
    if verified_user(request.user, request.session) is None:
        return False
    given = float(request.session.get(mfa.SESSION_CONFIRMED, 0))
    return 0 <= time.time() - given < mfa.FRESH_FOR.total_seconds()


def fresh_factor(view: View) -> View:
    """Ask for a second factor before ``view``, unless it is fresh. For pages and forms (without files) behind a door
    that lets verified people in only."""

    @wraps(view)
    def ask_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answered = request.method == "POST" and ASKED_BY in request.POST
        if not is_fresh(request):
            form = StepUpForm(request.POST if answered else None, prefix=PREFIX)
            if not answered or not form.is_valid() or not _confirm(request, form):
                return _page(request, form)
        if answered and request.POST[ASKED_BY] != "POST":
            return redirect(request.get_full_path())
        if answered:
            request.POST = _carried(request)  # type: ignore[assignment]
        return view(request, *args, **kwargs)

    return cast(View, ask_first)


def _confirm(request: HttpRequest, form: StepUpForm) -> bool:
    """Check what was given. Says on the form why it is refused."""
    recovery_code, credential = form.cleaned_data["recovery_code"], form.cleaned_data["credential"]
    try:
        if credential:
            passkeys.verify(request=request, answer=credential)
        elif recovery_code:
            mfa.verify_recovery(request=request, code=recovery_code)
        else:
            mfa.verify_totp(request=request, code=form.cleaned_data["code"])
    except passkeys.Refused:
        form.add_error(None, passkey_refusal())
        return False
    except (mfa.WrongCode, mfa.MustWait) as refused:
        form.add_error("recovery_code" if recovery_code else "code", refusal(refused, bool(recovery_code)))
        return False
    mfa.confirm(request)
    return True


def _page(request: HttpRequest, form: StepUpForm) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        "form": form,
        "asked_by": request.POST.get(ASKED_BY, request.method),
        "asked_by_name": ASKED_BY,
        "carried": [(name, value) for name, values in _carried(request).lists() for value in values],
        "has_phone": mfa.totp_of(user) is not None,
        "has_passkey": mfa.has_passkey(user),
        "clinic": home_clinic(user),
    }
    return render(request, "accounts/stepup.html", context)


def _carried(request: HttpRequest) -> QueryDict:
    """What the form behind us sent: all but our own fields and the token of the page."""
    kept = request.POST.copy()
    for name in [name for name in kept if name.startswith(f"{PREFIX}-") or name == "csrfmiddlewaretoken"]:
        del kept[name]
    return kept
