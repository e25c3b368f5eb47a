"""What a guest's link is made from."""

from django import forms
from django.utils.translation import gettext_lazy as _

RELATIONSHIPS = [
    ("interpreter", _("Interpreter")),
    ("relative", _("Relative or friend")),
    ("colleague", _("Colleague")),
    ("student", _("Student")),
    ("guest", _("Guest")),
]


class GuestForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("The others in the visit see this name."))
    relationship = forms.ChoiceField(label=_("Comes as"), choices=RELATIONSHIPS)


def relationship_label(value: str) -> str:
    """A guest's role in words; a word of the clinic's own stays as it is."""
    return str(dict(RELATIONSHIPS).get(value, value))
