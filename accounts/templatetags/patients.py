"""The account of a patient, or of who acts for one, on pages behind a link."""

from typing import Any

from django import template

from accounts.patients import services
from accounts.principal import Principal

register = template.Library()


@register.inclusion_tag("accounts/_account_offer.html", takes_context=True)
def account_offer(context: dict[str, Any], pk: Any) -> dict[str, Any]:
    """For who came by the link to ``pk``, unless as a guest: make an account, or sign in to the one that there is."""
    principal: Principal = context["principal"]
    bearer = principal.bearer if services.may_claim(principal) else None
    return {
        "pk": pk,
        "may_claim": bearer is not None,
        "has_account": bearer is not None and services.account_of(bearer) is not None,
        "csrf_token": context.get("csrf_token"),
    }
