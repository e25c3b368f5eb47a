"""The own pages of the account of a patient, or of who acts for one: claim it, sign in, see to it, end it."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import codes
from accounts.doors import PrincipalRequest, for_account, for_party, public
from accounts.links.views import date_words_read
from accounts.login.forms import EmailForm
from accounts.login.steps import next_step, remember_next
from accounts.mfa import factors
from accounts.mfa.forms import CodeForm
from accounts.models import PatientCode, Session, User
from accounts.patients import services
from accounts.patients.bearers import Bearer
from accounts.patients.codes import send
from accounts.patients.forms import SignInCodeForm
from accounts.principal import OwnLinkNeeded
from accounts.services import only_clinic
from accounts.sessions import services as sessions
from accounts.sessions.devices import words_for
from accounts.sessions.store import SessionStore

SESSION_CODE = "patient_code"  # the id of the code that was asked for here
# The code that was right, and the accounts that it and the birth date have opened, of which one is chosen.
SESSION_CHOICE = "patient_choice"


@public
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the address; on to the code.

    Who is signed in goes on to the step that is still missing, or to /me/; with ``?anew`` they get a code all the same.
    """
    if request.method != "POST":
        account = request.user if request.user.is_authenticated else None
        bearer = account.bearer if account else None
        if bearer and "anew" in request.GET:
            return _sign_in_page(request, EmailForm(initial={"email": bearer.email}))
        if account and account.opens_visits():
            remember_next(request, request.GET.get("next", ""))
            return redirect(next_step(request))
        return _sign_in_page(request, EmailForm())
    form = EmailForm(request.POST)
    if not form.is_valid():
        return _sign_in_page(request, form)
    try:
        row = send(request=request, email=form.cleaned_data["email"])
    except codes.TooManyCodes:
        form.add_error(None, _too_many())
        return _sign_in_page(request, form, status=429)
    remember_next(request, request.POST.get("next", ""))
    request.session[SESSION_CODE] = str(row.pk)
    return redirect("accounts:patient-code")


@public
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The mailed code and the birth date; POST ``again`` sends a new one."""
    row = _asked_for(request, None)
    if row is None:
        return redirect("accounts:patient-signin")
    if "again" in request.POST:
        return _send_again(request, row, "accounts:patient-code")
    form = SignInCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            found = services.sign_in(
                request=request, pk=str(row.pk), code=given["code"], birth_date=given["birth_date"]
            )
        except codes.WrongCode as wrong:
            form.add_error(None, _wrong_words(wrong) + " " + date_words_read(given["birth_date"]))
        except services.TooManyBirthDates:
            form.add_error(None, _("Too many wrong birth dates. Try again tomorrow, or call us."))
        except codes.CodeEnded:
            form.add_error(None, _ended())
        else:
            return _let_in(request, found)
    context = {"form": form, "address": row.email, "clinic": only_clinic()}
    return render(request, "accounts/patient_code.html", context)


def _let_in(request: HttpRequest, found: list[User]) -> HttpResponse:
    right = request.session.pop(SESSION_CODE)
    if len(found) > 1:
        request.session[SESSION_CHOICE] = {"code": right, "accounts": [str(account.pk) for account in found]}
        request.session.cycle_key()
        return redirect("accounts:patient-which")
    return _enter(request, found[0])


def _enter(request: HttpRequest, account: User) -> HttpResponse:
    wanted = request.session.get("next", "")
    services.enter(request=request, account=account)
    remember_next(request, wanted)
    return redirect(next_step(request))


@public
@require_http_methods(["GET", "HEAD", "POST"])
def which(request: HttpRequest) -> HttpResponse:
    """Which of the opened accounts: of twins, or of one person at several clinics. POST ``account``: its id."""
    choice = request.session.get(SESSION_CHOICE)
    accounts = services.still_open(choice["code"], choice["accounts"]) if choice else []
    if not accounts:
        return redirect("accounts:patient-signin")
    chosen = next((one for one in accounts if str(one.pk) == request.POST.get("account")), None)
    if request.method == "POST" and chosen is not None:
        del request.session[SESSION_CHOICE]
        return _enter(request, chosen)
    return render(request, "accounts/patient_which.html", {"accounts": accounts, "clinic": only_clinic()})


@for_party
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """What an account is; POST has a code sent to the address on file."""
    bearer = _claimant(request)
    if services.account_of(bearer):
        return redirect("accounts:patient-signin")
    trouble = ""
    if request.method == "POST":
        try:
            row = send(request=request, email=bearer.email, bearer=bearer)
        except codes.TooManyCodes:
            trouble = _too_many()
        else:
            request.session[SESSION_CODE] = str(row.pk)
            return redirect("accounts:claim-code", pk=pk)
    return render(request, "accounts/claim.html", {"pk": pk, "trouble": trouble}, status=429 if trouble else 200)


@for_party
@require_http_methods(["GET", "HEAD", "POST"])
def claim_code(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The mailed code makes the account, and signs in to it; POST ``again`` sends a new one."""
    bearer = _claimant(request)
    row = _asked_for(request, bearer)
    if row is None:
        return redirect("accounts:claim", pk=pk)
    if "again" in request.POST:
        return _send_again(request, row, "accounts:claim-code", pk=pk)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            account = services.claim(
                request=request,
                principal=request.principal,
                bearer=bearer,
                pk=str(row.pk),
                code=form.cleaned_data["code"],
            )
        except codes.WrongCode as wrong:
            form.add_error("code", _wrong_words(wrong, _("That code did not work.")))
        except codes.CodeEnded:
            form.add_error("code", _ended())
        else:
            del request.session[SESSION_CODE]
            services.enter(request=request, account=account)
            messages.success(request, _("Your account is made. Here are your visits."))
            return redirect(next_step(request))
    return render(request, "accounts/claim_code.html", {"form": form})


@for_account
@require_safe
def account(request: PrincipalRequest) -> HttpResponse:
    """How one signs in, where one is signed in, and the end of the account."""
    user, own = cast(User, request.principal.account), cast(Session, cast(SessionStore, request.session).row)
    found = sorted(sessions.open_of(user), key=lambda session: session.pk != own.pk)
    context = {
        "account": user,
        "bearer": user.bearer,
        "factors": factors.factors_of(user),
        "may_do_without": factors.may_do_without(user),
        "sessions": [(session, words_for(session.user_agent)) for session in found],
        "own": own,
    }
    return render(request, "accounts/account.html", context)


@for_account
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: PrincipalRequest) -> HttpResponse:
    """Ask whether to end the account; POST ends it. The record and the visits stay as they are."""
    bearer = request.principal.bearer
    if request.method == "POST" and bearer is not None:
        services.end_account(bearer, why="self", principal=request.principal, request=request)
        logout(request)
        messages.success(request, _("Your account is ended. The links in our messages work as before."))
        return redirect("accounts:patient-signin")
    return render(request, "accounts/account_end.html")


def _claimant(request: PrincipalRequest) -> Bearer:
    """Whose account could be made behind the link. Raises Http404."""
    bearer = request.principal.bearer
    if not services.may_claim(request.principal) or bearer is None:
        raise OwnLinkNeeded if request.principal.is_handed_out else Http404
    return bearer


def _asked_for(request: HttpRequest, bearer: Bearer | None) -> PatientCode | None:
    """The code that was asked for in this session last, by ``bearer`` to claim their account or else to sign in."""
    pk = request.session.get(SESSION_CODE)
    row = PatientCode.objects.select_related(*User.PARTIES).filter(pk=pk).first() if pk else None
    return row if row and row.bearer == bearer else None


def _send_again(request: HttpRequest, row: PatientCode, page: str, **kwargs: Any) -> HttpResponse:
    try:
        fresh = send(request=request, email=row.email, bearer=row.bearer)
    except codes.TooManyCodes:
        messages.error(request, _too_many())
    else:
        request.session[SESSION_CODE] = str(fresh.pk)
        messages.success(request, _("A new code is on its way. The one before does not work any more."))
    return cast(HttpResponse, redirect(page, **kwargs))


def _sign_in_page(request: HttpRequest, form: EmailForm, status: int = 200) -> HttpResponse:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    ended = "ended" in request.GET and not form.is_bound
    anew = "anew" in request.GET and request.user.is_authenticated
    context = {"form": form, "next": wanted, "ended": ended, "anew": anew, "clinic": only_clinic()}
    return render(request, "accounts/patient_signin.html", context, status=status)


def _wrong_words(wrong: codes.WrongCode, what: str = "") -> str:
    left = ngettext("%(count)d try left.", "%(count)d tries left.", wrong.tries_left) % {"count": wrong.tries_left}
    return f"{what or _('The code or the birth date does not match. Check both.')} {left}"


def _ended() -> str:
    return _("This code does not work any more. Have a new one sent.")


def _too_many() -> str:
    return _("So many codes were asked for that no more are sent now. Try again in an hour, or call us.")
