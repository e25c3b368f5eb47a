"""Places in line as words."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ORDINALS = {
    1: gettext_lazy("1st"),
    2: gettext_lazy("2nd"),
    3: gettext_lazy("3rd"),
    21: gettext_lazy("21st"),
    22: gettext_lazy("22nd"),
    23: gettext_lazy("23rd"),
}


def ordinal(number: int) -> str:
    """ "2nd" for 2, in the language of the page."""
    return str(ORDINALS.get(number) or _("%(number)sth") % {"number": number})
