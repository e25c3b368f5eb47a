"""Second factors that are lost: an admin takes them away, having made sure who asks."""

from django import forms
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class IdentityCheck(models.TextChoices):
    """How an admin made sure that the person who asks is who they say (NIST SP 800-63B-4, 4.2)."""

    PHOTO_ID = "photo-id-by-video", _("Saw them and their photo ID by video")
    IN_PERSON = "in-person", _("They stood before me")
    KNOWN = "known-personally", _("Spoke with them, and know them personally")
    CALL_BACK = "call-back", _("Called them back at the number on file")


class ResetForm(forms.Form):
    """What the trail keeps of it: a code and a number, since it holds no words of people."""

    check = forms.ChoiceField(
        label=_("How did you make sure who asks?"),
        choices=IdentityCheck.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Say how you made sure who asks.")},
    )
    reference = forms.CharField(
        label=_("Reference"),
        required=False,
        max_length=40,
        validators=[RegexValidator(r"^[A-Za-z0-9./-]*$", _("Letters, digits, hyphens, dots and slashes only."))],
        help_text=_("Where there is more about it, such as the number of a ticket. No names: it stays on the trail."),
    )
