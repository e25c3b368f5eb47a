"""A code by which a patient claims or enters their account."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedEmailField
from accounts.models.clinic import Patient
from accounts.models.one_time_code import OneTimeCode


class PatientCode(OneTimeCode):
    """One code for one address. Whether anybody has an account there is not known before the code was right."""

    email = EncryptedEmailField(_("e-mail"), max_length=254)
    # Who claims their account; None where somebody signs in.
    patient = models.ForeignKey(
        Patient, models.CASCADE, verbose_name=_("patient"), related_name="+", null=True, blank=True
    )

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("code of a patient")
        verbose_name_plural = _("codes of patients")
        constraints = [
            models.CheckConstraint(condition=models.Q(failures__lte=5), name="patient_code_few_tries"),
            models.CheckConstraint(
                condition=models.Q(used_at=None) | ~models.Q(code_hash=""), name="patient_code_used_had_a_code"
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.pk)[:8]}"
