"""What a password must not be. Length counts; nothing is asked of which characters it has (NIST SP 800-63B-4)."""

import re
import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Clinic, User

OURS = ("telehealth", "password", "contrasena", "clinic", "clinica")
SHORTEST_WORD = 4


class ContextValidator:
    """Refuses a password that is little more than words that anybody would try here: the product's and the clinics'
    names, the parts of the person's e-mail and name. Within a longer one they do no harm."""

    least_else = 8  # letters and digits that are none of those words

    def validate(self, password: str, user: User | None = None) -> None:
        left = _plain(password)
        for word in sorted(self._words(user), key=len, reverse=True):
            left = left.replace(word, "")
        if len(left) < self.least_else and len(left) < len(_plain(password)):
            raise ValidationError(
                _(
                    "This password is too easy to guess: it is mostly a name that belongs to you, your clinic or "
                    "Telehealth. Add words that have nothing to do with them."
                ),
                code="password_of_context",
            )

    def get_help_text(self) -> str:
        return _("Your password cannot be mostly your name, your e-mail, or the name of your clinic.")

    def _words(self, user: Any) -> set[str]:
        texts = list(OURS)
        if user is not None:
            clinics = Clinic.objects.filter(Q(memberships__user=user) | Q(invitations__email=user.email))
            texts += [user.email, user.name, *(clinic.name for clinic in clinics)]
        words = {_plain(word) for text in texts for word in re.split(r"[\W_]+", text)}
        return {word for word in words if len(word) >= SHORTEST_WORD}


def _plain(text: str) -> str:
    """Without case, accents and what is no letter or digit."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in bare if char.isalnum())
