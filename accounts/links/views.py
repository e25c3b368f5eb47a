"""The landing page of a link. Reading it (a mail scanner does) uses nothing up: only a POST redeems."""

from datetime import date

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.audit.address import caller_network
from accounts.doors import public
from accounts.language import speak
from accounts.limit import too_many
from accounts.links import services
from accounts.links.forms import BirthDateForm
from accounts.models import AccessLink, Clinic, Patient
from accounts.principal import link_principal
from accounts.services import only_clinic

STATUS = {services.State.UNKNOWN: 404, services.State.LOCKED: 403}


@public
@require_http_methods(["GET", "HEAD", "POST"])
def land(request: HttpRequest, token: str) -> HttpResponse:
    """Ask a patient for the birth date, a guest for a plain Continue; lead on to what the link opens."""
    try:
        link = services.find(token)
    except services.LinkClosed:
        return unknown(request)
    if link.bearer:
        speak(request, link.bearer.language)
    try:
        services.check_open(link)
    except services.LinkClosed as closed:
        if request.method == "POST":
            services.record_closed(request, link, closed.state)
        return closed_page(request, link.clinic, closed.state, link.patient, scope=link.scope, token=token)
    if _is_open_here(request, link):
        return _lead_on(link)
    of = link.patient.given_name if link.patient and link.related_person else ""
    form = BirthDateForm(request.POST or None, of=of) if link.patient else None
    if request.method == "POST" and (form is None or form.is_valid()):
        return _redeem(request, link, form)
    return _page(request, link, form)


def _redeem(request: HttpRequest, link: AccessLink, form: BirthDateForm | None) -> HttpResponse:
    birth_date = form.cleaned_data["birth_date"] if form else None
    try:
        services.redeem(request=request, link=link, birth_date=birth_date)
    except services.WrongBirthDate as wrong:
        if form and birth_date:
            form.add_error("birth_date", wrong_words(birth_date, wrong.tries_left))
        return _page(request, link, form)
    except services.LinkClosed as closed:
        return closed_page(request, link.clinic, closed.state, link.patient, scope=link.scope)
    return _lead_on(link)


def wrong_words(typed: date, tries_left: int) -> str:
    """What was understood, in words, and how many tries are left."""
    left = ngettext("%(count)d try left.", "%(count)d tries left.", tries_left) % {"count": tries_left}
    return " ".join([_("That date does not match. Check it and try again."), left, date_words_read(typed)])


def date_words_read(typed: date) -> str:
    """What was understood of a date, in words."""
    return _("We read %(date)s.") % {"date": date_format(typed, "DATE_FORMAT")}


def _page(request: HttpRequest, link: AccessLink, form: BirthDateForm | None) -> HttpResponse:
    return render(request, "accounts/link.html", {"clinic": link.clinic, "link": link, "form": form})


def _is_open_here(request: HttpRequest, link: AccessLink) -> bool:
    """Whether this browser has proved already to be the same person, by a link that opens no less."""
    here = link_principal(request.session, link.resource_id)
    if here is None or here.link is None or (here.is_handed_out and not link.is_handed_out):
        return False
    is_same = here.link.patient_id == link.patient_id and here.link.related_person_id == link.related_person_id
    return here.link.pk == link.pk or (link.patient_id is not None and is_same)


def _lead_on(link: AccessLink) -> HttpResponse:
    return redirect(settings.LINK_DESTINATIONS[link.scope], pk=link.resource_id)


def unknown(request: HttpRequest) -> HttpResponse:
    """A token cannot be guessed; the limit keeps a guesser from being a burden.

    Links that exist are never refused here, so that nobody can shut out patients behind the same address.
    """
    if too_many(f"unknown-link:{caller_network(request)}", times=20, seconds=600):
        return render(request, "accounts/link_closed.html", {"state": "many", "clinic": only_clinic()}, status=429)
    return closed_page(request, only_clinic(), services.State.UNKNOWN)


def closed_page(
    request: HttpRequest,
    clinic: Clinic | None,
    state: services.State,
    patient: Patient | None = None,
    *,
    scope: str = "",
    token: str = "",
) -> HttpResponse:
    """Why the link opens nothing, and a way on. By its ``token`` a patient can have a new one sent to themselves."""
    can_renew = scope == AccessLink.Scope.SUMMARY and state is services.State.EXPIRED and bool(token)
    context = {
        "state": state.value,
        "clinic": clinic,
        "patient": patient,
        "scope": scope,
        "token": token,
        "can_renew": can_renew,
    }
    return render(request, "accounts/link_closed.html", context, status=STATUS.get(state, 410))


@public
@require_safe
def needed(request: HttpRequest) -> HttpResponse:
    """For a patient page without a link redeemed in this browser, or with one that has ended."""
    link = services.last_opened(request.session)
    if link and link.bearer:
        speak(request, link.bearer.language)
    context = {"clinic": link.clinic if link else only_clinic(), "patient": link.patient if link else None}
    return render(request, "accounts/link_needed.html", context)
