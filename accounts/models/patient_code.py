"""A code by which a patient, or who acts for one, claims or enters their account."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedEmailField
from accounts.models.clinic import Patient
from accounts.models.one_time_code import OneTimeCode
from accounts.models.related_person import RelatedPerson


class PatientCode(OneTimeCode):
    """One code for one address. Whether anybody has an account there is not known before the code was right."""

    email = EncryptedEmailField(_("e-mail"), max_length=254)
    # Who claims their account; nobody where somebody signs in.
    patient = models.ForeignKey(
        Patient, models.CASCADE, verbose_name=_("patient"), related_name="+", null=True, blank=True
    )
    related_person = models.ForeignKey(
        RelatedPerson, models.CASCADE, verbose_name=_("acts for the patient"), related_name="+", null=True, blank=True
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
            models.CheckConstraint(
                condition=models.Q(patient=None) | models.Q(related_person=None), name="patient_code_of_one_at_most"
            ),
        ]

    @property
    def bearer(self) -> Patient | RelatedPerson | None:
        """Who claims their account."""
        return self.related_person or self.patient

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.pk)[:8]}"
