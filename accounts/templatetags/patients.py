"""The account of a patient, on pages behind a link."""

from typing import Any

from django import template

from accounts.patients import services
from accounts.principal import Principal

register = template.Library()


@register.inclusion_tag("accounts/_account_offer.html", takes_context=True)
def account_offer(context: dict[str, Any], pk: Any) -> dict[str, Any]:
    """For a patient who came by the link to ``pk``: make an account, or sign in to the one that there is."""
    principal: Principal = context["principal"]
    patient = principal.patient if services.may_claim(principal) else None
    return {
        "pk": pk,
        "may_claim": patient is not None,
        "has_account": patient is not None and services.account_of(patient) is not None,
        "csrf_token": context.get("csrf_token"),
    }
