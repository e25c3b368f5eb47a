"""Codes that are mailed to patients: to claim their account, and to sign in to it. A worker sends them."""

from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.audit.address import caller_network
from accounts.contact import normal_email
from accounts.language import page_language
from accounts.limit import too_many
from accounts.login import guessing
from accounts.models import Clinic, Patient, PatientCode, User

LASTS = timedelta(minutes=10)
# Codes an hour: to an address for one caller, to it in all, and for one caller in all.
TO_ADDRESS, TO_ADDRESS_IN_ALL, PER_CALLER = 5, 15, 30
HOUR = 3600


class TooManyCodes(Exception):
    """So many codes were sent to this address, or asked for from this place, that no more is sent for a while."""


class CodeEnded(Exception):
    """The code proves nothing any more: it has expired, was used, or too many wrong ones were typed."""


def send(*, request: HttpRequest, email: str, patient: Patient | None = None) -> PatientCode:
    """Have a code sent to ``email``, for ``patient`` to claim their account, or for whoever signs in there.

    Whether there is an account makes no difference here: the worker finds that there is nobody. Raises TooManyCodes.
    """
    caller = caller_network(request)
    to = salted_hmac("accounts.patients.codes", normal_email(email), algorithm="sha256").hexdigest()
    limits = [(f"patient-code-from:{caller}", PER_CALLER), (f"patient-code-to:{to}:{caller}", TO_ADDRESS)]
    # Where somebody has signed in to this address lately, strangers' codes keep them from nothing.
    if not guessing.is_known(request, email):
        limits.append((f"patient-code-to:{to}", TO_ADDRESS_IN_ALL))
    if any(too_many(key, times=times, seconds=HOUR) for key, times in limits):
        raise TooManyCodes
    row = PatientCode.objects.create(
        email=email, patient=patient, language=page_language(), expires_at=timezone.now() + LASTS
    )
    _have_it_sent(row)
    return row


def _have_it_sent(row: PatientCode) -> None:
    from accounts.patients.tasks import send_code

    transaction.on_commit(lambda: send_code.delay(str(row.pk)), robust=True)


def accounts_at(email: str) -> list[User]:
    """The open accounts of patients to whom the clinics write at this address."""
    found = User.objects.select_related("patient__clinic").filter(
        patient__email_hash__of=normal_email(email), patient__deactivated_at=None, is_active=True
    )
    return list(found.order_by("patient__clinic__name", "date_joined"))


def deliver(row: PatientCode) -> None:
    """Make the code and mail it, if there is anybody to sign in. Asked for twice, it is sent once."""
    patients = [row.patient] if row.patient else [one.patient for one in accounts_at(row.email) if one.patient]
    code = row.make() if patients else None
    if code is None:
        return
    clinics = {patient.clinic for patient in patients}
    with translation.override(row.language):
        # To the address on file: what was typed may be another one that reads as the same (long s for s).
        _mail(row, code, patients[0].email, clinics.pop() if len(clinics) == 1 else None).send()


def _mail(row: PatientCode, code: str, to: str, clinic: Clinic | None) -> EmailMultiAlternatives:
    """``clinic`` is None where accounts at several clinics share the address."""
    if row.patient:
        lead = _("Type it on the page where you make your account. It works for ten minutes, and once.")
    else:
        lead = _("Type it on the page where you sign in. It works for ten minutes, and once.")
    context = {
        "clinic": clinic,
        "language": row.language,
        "code": code,
        "headline": _("Your code"),
        "lead": lead,
        "warning": _("Do not give it to anybody. If you did not ask for it, leave this message alone."),
    }
    name = clinic.name if clinic else "Telehealth"
    mail = EmailMultiAlternatives(
        subject=render_to_string("emails/code-subject.txt", context).strip(),
        body=render_to_string("emails/code.txt", context),
        from_email=formataddr((name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[to],
        headers={"Auto-Submitted": "auto-generated", "Content-Language": row.language},
    )
    mail.attach_alternative(render_to_string("emails/code.html", context), "text/html")
    return mail


def lock(pk: str, patient: Patient | None = None) -> PatientCode:
    """The code, its row locked for the rest of the transaction: that of ``patient``'s claim, or of a sign-in.

    Raises CodeEnded.
    """
    row = PatientCode.objects.select_for_update().filter(pk=pk, patient=patient).first() if pk else None
    if row is None or not row.is_live():
        raise CodeEnded
    return row


def forget_old(now: datetime | None = None) -> int:
    """Remove what has expired an hour ago; return how many."""
    removed, _by_model = PatientCode.objects.filter(
        expires_at__lt=(now or timezone.now()) - timedelta(hours=1)
    ).delete()
    return removed
