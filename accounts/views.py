"""The front door, and switching between clinics and languages."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language as django_set_language

from accounts import services
from accounts.doors import PrincipalRequest, for_verified, public
from accounts.login.steps import belongs_somewhere
from accounts.policy import Action, Role
from accounts.principal import staff_principal, verified_user


@public
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Lead everybody to where their work is; strangers to signing in."""
    user = verified_user(request.user, request.session)
    if user is None or user.is_party:
        return redirect("accounts:signin")  # which leads patients on to their own page
    principal = staff_principal(user, request.session)
    runs_admin = user.is_staff and (principal is None or principal.role in {Role.CLINIC_ADMIN, Role.AUDITOR})
    if runs_admin and (principal or user.is_superuser):
        return redirect("admin:index")
    if principal and principal.may(Action.BOARD_SEE):
        return redirect(settings.STAFF_HOME)
    return redirect("accounts:no-clinic")


@public
@require_safe
def no_clinic(request: HttpRequest) -> HttpResponse:
    """For who is signed in, but has nothing to do here."""
    if not request.user.is_authenticated:
        return redirect("accounts:signin")
    context = {"is_member": belongs_somewhere(request.user), "bearer": request.user.bearer}
    return render(request, "accounts/no_clinic.html", context, status=403)


@for_verified
@require_POST
def switch_clinic(request: PrincipalRequest) -> HttpResponse:
    """Go on in another of one's clinics (POST ``clinic``: its id)."""
    try:
        services.switch_clinic(request=request, clinic_id=request.POST.get("clinic", ""))
    except services.NotAMember:
        raise Http404 from None
    return redirect("home")


@public
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language of the pages (POST ``language``, ``next``)."""
    return django_set_language(request)
