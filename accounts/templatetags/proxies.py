"""Who acts for a patient, for pages of staff."""

import uuid
from typing import Any

from django import template

from accounts.models import Patient
from accounts.policy import Action
from accounts.proxies import services
from accounts.proxies.views import Shown

register = template.Library()


@register.inclusion_tag("proxies/_card.html", takes_context=True)
def proxies_of(context: dict[str, Any], patient: Patient, visit: uuid.UUID) -> dict[str, Any]:
    """A card on the page of a visit with who acts for the patient now, for who may see that; what ends soon says so."""
    may_see = context["principal"].may(Action.PROXY_SEE)
    return {
        "may_see": may_see,
        "may_end_account": context["principal"].may(Action.ACCOUNT_CHANGE),
        "patient": patient,
        "visit": visit,
        "shown": [Shown.of(person) for person in services.active(patient)] if may_see else [],
    }
