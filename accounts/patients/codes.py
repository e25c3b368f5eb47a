"""Codes that are mailed to patients, and to who acts for them: to claim an account, and to sign in to it.

A worker sends them.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import codes
from accounts.audit import services as audit
from accounts.contact import normal_email
from accounts.language import page_language
from accounts.login import guessing
from accounts.models import AuditEvent, PatientCode, User
from accounts.patients.bearers import Bearer, column_of, patient_of

LASTS = timedelta(minutes=10)


def send(*, request: HttpRequest, email: str, bearer: Bearer | None = None) -> PatientCode:
    """Have a code sent to ``email``, for ``bearer`` to claim their account, or for whoever signs in there.

    Whether there is an account makes no difference here: the worker finds that there is nobody. Raises
    accounts.codes.TooManyCodes.
    """
    # Where somebody has signed in to this address lately, strangers' codes keep them from nothing.
    is_owner = guessing.is_known(request, email, of_patient=True)
    codes.count_sent(request=request, purpose="patient-code", address=normal_email(email), is_owner=is_owner)
    row = PatientCode.objects.create(
        email=email,
        language=page_language(),
        expires_at=timezone.now() + LASTS,
        **(column_of(bearer) if bearer else {}),
    )
    _have_it_sent(row)
    return row


def _have_it_sent(row: PatientCode) -> None:
    from accounts.patients.tasks import send_code

    transaction.on_commit(lambda: send_code.delay(str(row.pk)), robust=True)


def accounts_at(email: str) -> list[User]:
    """The open accounts of those to whom the clinics write at this address: patients, and who acts for them."""
    address = normal_email(email)
    theirs = Q(patient__email_hash__of=address) | Q(related_person__email_hash__of=address)
    found = [one for one in User.objects.select_related(*User.PARTIES).filter(theirs) if one.opens_visits()]
    return sorted(found, key=lambda one: (one.bearer.clinic.name if one.bearer else "", one.date_joined))


def deliver(row: PatientCode) -> None:
    """Make the code and mail it, if there is anybody to sign in. Asked for twice, it is sent once."""
    bearers = [row.bearer] if row.bearer else [one.bearer for one in accounts_at(row.email) if one.bearer]
    code = row.make() if bearers else None
    if code is None:
        return
    clinics = {bearer.clinic for bearer in bearers}
    with translation.override(row.language):
        if row.bearer:
            lead = _("Type it on the page where you make your account. It works for ten minutes, and once.")
        else:
            lead = _("Type it on the page where you sign in. It works for ten minutes, and once.")
        codes.mail(
            code=code,
            # The address on file: what was typed may be another one that reads as the same (long s for s).
            to=bearers[0].email,
            # In nobody's name where accounts at several clinics share the address.
            clinic=clinics.pop() if len(clinics) == 1 else None,
            lead=lead,
            warning=_("Do not give it to anybody. If you did not ask for it, leave this message alone."),
        )
    for bearer in bearers:
        audit.record(
            "account.code", AuditEvent.Action.EXECUTE, clinic=bearer.clinic, entity=row, patient=patient_of(bearer)
        )
