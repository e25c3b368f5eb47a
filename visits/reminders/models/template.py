"""What a clinic says in its messages besides what each of them must say."""

import re
import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic
from visits.reminders.models.ledger import Communication

Kind = Communication.Kind
# Of who acts for a patient a clinic has nothing to add.
KINDS = [(str(kind), kind.label) for kind in Kind if kind != Kind.GRANT]
LONGEST_IN_MAIL, LONGEST_IN_TEXT = 600, 70
# A scheme, or names with dots between them that end in letters; no address to write to.
ADDRESS = re.compile(r"\w+://\S*|(?<![@\w.-])(?:\w[\w-]*\.)+[^\W\d_]{2,}(?![\w@])\S*")


def check_no_address(words: str) -> None:
    """Refuse what phones and mail programs make a link of: a message has one, the patient's own, and no other is to be
    trusted."""
    if found := ADDRESS.search(words):
        says = _("Leave web addresses out, such as “%(address)s”: the message has a link of its own.")
        raise ValidationError(says % {"address": found[0]})


class MessageTemplate(models.Model):
    """The clinic's own words in one kind of message in one language."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="message_templates")
    kind = models.CharField(_("message"), max_length=20, choices=KINDS)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES)
    mail_words = models.TextField(
        _("in the e-mail"),
        blank=True,
        validators=[MaxLengthValidator(LONGEST_IN_MAIL), check_no_address],
        help_text=_(
            "A few sentences below ours. Everybody gets the same, by video or by phone, whoever moved or cancelled: "
            "no names, and nothing about health."
        ),
    )
    text_words = models.CharField(
        _("in the text message"),
        max_length=LONGEST_IN_TEXT,
        blank=True,
        validators=[check_no_address],
        help_text=_("One short sentence. It may make the message longer, and dearer, by a part."),
    )

    class Meta:
        ordering = ["clinic", "kind", "language"]
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "kind", "language"],
                name="message_template_once",
                violation_error_message=_("There are words for this message in this language already."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind for kind, _label in KINDS]), name="message_template_kind"
            ),
            models.CheckConstraint(
                condition=~Q(mail_words="", text_words=""),
                name="message_template_says_something",
                violation_error_message=_("Write something for the e-mail or for the text message."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_language_display()}"

    @classmethod
    def of(cls, message: Communication) -> "MessageTemplate":
        """The words of the clinic in this message, unsaved and empty where it has none."""
        recipient = message.recipient
        if message.kind == Kind.RUNNING_LATE and not message.details.get("minutes"):
            return cls()  # on time again: what is said of a delay does not fit
        whose = {"clinic": recipient.clinic, "kind": message.kind, "language": recipient.language}
        return cls.objects.filter(**whose).first() or cls(**whose)
