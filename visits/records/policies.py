"""How long what is kept: the usual, and the least that a clinic may choose. docs/privacy.md says why."""

from dataclasses import dataclass

from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

YEAR = 365.25
# Who was treated as a child can ask for the record as an adult: it is kept until then, whatever the clinic's rule.
OF_AGE = 21  # years


class Subject(TextChoices):
    """What there is a rule for. The audit trail is none of these: no row of it is ever removed."""

    RECORD = "record", _("Records of patients, after their last visit")
    NEWCOMER = "newcomer", _("People who never had a visit")
    CHECK_IN = "check-in", _("Place, call-back number and emergency contact of a visit")
    ADDRESS = "address", _("Addresses that messages went to")
    WISH = "wish", _("Wishes to come earlier that have ended")
    LINE = "line", _("Figures of lines in video visits")


@dataclass(frozen=True)
class Policy:
    """Days after which a thing goes, and the fewest that a clinic may set."""

    days: int
    floor: int


POLICIES = {
    # State laws ask for five to ten years; 45 CFR 164.316(b)(2)(i) for six of what documents compliance.
    Subject.RECORD: Policy(days=round(10 * YEAR), floor=round(6 * YEAR)),
    Subject.NEWCOMER: Policy(days=365, floor=30),
    Subject.CHECK_IN: Policy(days=365, floor=7),
    # Bounces and answers are told apart by them for some weeks.
    Subject.ADDRESS: Policy(days=365, floor=90),
    Subject.WISH: Policy(days=365, floor=30),
    Subject.LINE: Policy(days=90, floor=7),
}


def not_below_floors() -> Q:
    """The condition that a rule keeps no shorter than its subject's floor."""
    found = Q()
    for subject, policy in POLICIES.items():
        found |= Q(subject=subject.value, days__gte=policy.floor)
    return found
