"""The ledger to read: what was sent, what not, and why. How a clinic reminds, and what patients want."""

from typing import Any, cast

from csp.constants import SELF
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline, HappenedFilter, principal_of
from accounts.admin_forms import LabelledRows
from accounts.admin_sections import Page, Section
from accounts.models import Clinic, Patient
from visits.reminders import services
from visits.reminders.framing import framed
from visits.reminders.models import (
    Communication,
    Confirmation,
    ContactPreference,
    LeadTime,
    MessageTemplate,
    ReminderPolicy,
)
from visits.reminders.models.policy import DEFAULT_LEADS
from visits.reminders.previews import Preview, preview_of, previews
from visits.reminders.services import rules

LANGUAGES = dict(Patient._meta.get_field("language").flatchoices)


@admin.register(Communication)
class CommunicationAdmin(ClinicScopedAdmin):
    pages = (
        Page(
            Section.TEXTS,
            "reminders_communication_preview",
            _("What messages say"),
            _("Every message as your patients get it, in each language, with made-up names."),
        ),
    )
    section = Section.VISITS
    about = _("Every message to a patient: sent, or why not.")
    clinic_path = "patient__clinic"
    patient_path = "patient"
    read_only = True
    actions = ["send_again"]
    list_display = ("due_at", "what", "channel", "state", "reason", "sent_at", "attempts", "appointment", "clinic")
    list_filter = (
        "state",
        "kind",
        "channel",
        "reason",
        ("due_at", admin.DateFieldListFilter),
        "patient__clinic",
    )
    list_select_related = ("patient__clinic", "appointment__practitioner")
    search_fields = ("id", "appointment__id", "patient__family_name", "appointment__practitioner__name")
    search_help_text = _("Patient's last name, clinician, or an id")
    date_hierarchy = "due_at"
    ordering = ("-due_at",)
    list_per_page = 50

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, message: Communication) -> str:
        return message.label

    @admin.display(description=_("clinic"), ordering="patient__clinic__name")
    def clinic(self, message: Communication) -> Clinic:
        return message.patient.clinic

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        preview = path("preview/", view(self.preview), name="reminders_communication_preview")
        mail = path("preview/mail/", view(self.preview_mail), name="reminders_communication_preview_mail")
        return [preview, mail, *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Each kind of message by e-mail and text, in the language that ``?language=`` names."""
        clinic, language = self._read_by(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("What messages say"),
            "languages": LANGUAGES,
            "language": language,
            "previews": previews(clinic, language, now=timezone.now()),
        }
        response = render(request, "admin/reminders/communication/preview.html", context)
        response._csp_update = {"frame-src": [SELF]}  # type: ignore[attr-defined]
        return response

    def preview_mail(self, request: HttpRequest) -> HttpResponse:
        """The mail of one ``?kind=``, the first by default, as mail programs draw it: for the frames of that page."""
        clinic, language = self._read_by(request)
        found = previews(clinic, language, now=timezone.now())
        kind = request.GET.get("kind", found[0].code)
        wanted = next((one for one in found if one.code == kind), None)
        if wanted is None:
            raise Http404
        return framed(wanted.html)

    def _read_by(self, request: HttpRequest) -> tuple[Clinic, str]:
        """Whose messages they read, and in which language. Raises PermissionDenied, Http404."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        principal = principal_of(request)
        clinic = principal.clinic if principal else Clinic.objects.first()
        if clinic is None:
            raise Http404
        language = request.GET.get("language", clinic.language)
        if language not in LANGUAGES:
            raise Http404
        return clinic, language

    @admin.action(description=_("Send again"))
    @confirmed
    def send_again(self, request: HttpRequest, chosen: QuerySet[Communication]) -> None:
        principal = principal_of(request)
        if principal is None:
            self.message_user(request, _("Only members of a clinic send messages."), messages.ERROR)
            return
        planned = 0
        for message in (one for one in chosen if one.is_repeatable):
            try:
                services.resend(principal=principal, communication=message)
                planned += 1
            except services.NothingToSay as nothing:
                self.message_user(request, f"{message}: {nothing.reason.label}", messages.WARNING)
        if planned:
            self.message_user(
                request,
                ngettext("%(count)s message is on its way.", "%(count)s messages are on their way.", planned)
                % {"count": planned},
                messages.SUCCESS,
            )

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class MessageTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    preview: Preview | None = None  # once the form is valid

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        kind, clinic = data.get("kind", self.instance.kind), data.get("clinic") or self.instance.clinic
        language = data.get("language", self.instance.language)
        template = MessageTemplate(
            clinic=clinic, kind=kind, language=language, mail_words=data["mail_words"], text_words=data["text_words"]
        )
        self.preview = preview_of(template, now=timezone.now())
        if data["text_words"] and kind not in rules.BY_SMS:
            self.add_error("text_words", _("This message is never sent as a text message."))
        return data


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ClinicScopedAdmin):
    section = Section.TEXTS
    about = _("What you say in messages to patients besides what each of them says by itself.")
    form = MessageTemplateForm
    change_form_template = "admin/reminders/messagetemplate/change_form.html"
    fixed_fields = ("kind", "language")
    audited_fields = ("kind", "language")
    list_display = ("kind", "language", "mail_words", "text_words", "clinic")
    list_filter = ("kind", "language", "clinic")
    list_select_related = ("clinic",)
    search_fields = ("mail_words", "text_words")

    def get_urls(self) -> list[URLPattern]:
        preview = path("preview/", self.admin_site.admin_view(self.preview), name="reminders_messagetemplate_preview")
        return [preview, *super().get_urls()]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the page of all messages was left for, or else the language of the clinic."""
        principal = principal_of(request)
        language = {"language": principal.clinic.language} if principal else {}
        return language | super().get_changeform_initial_data(request)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        response._csp_update = {"frame-src": [SELF]}  # type: ignore[attr-defined]
        return response

    @method_decorator(require_POST)
    def preview(self, request: HttpRequest) -> HttpResponse:
        """How the message looks with the words of the form, which are not saved; ``as`` says ``mail`` or ``text``."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        row = self.get_object(request, request.POST.get("template", ""))
        form_class = self.get_form(request, row, change=row is not None)
        form = cast(MessageTemplateForm, form_class(request.POST, instance=row))
        shown = form.preview if form.is_valid() else None
        if shown is not None and request.POST.get("as") != "text":
            return framed(shown.html)
        context = {"preview": shown, "problems": [words for found in form.errors.values() for words in found]}
        return framed(render_to_string("emails/sms_preview.html", context))


class LeadFormSet(LabelledRows):
    """A clinic that writes its own rules begins with the reminders that it had without."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("instance") is None or kwargs["instance"]._state.adding:
            kwargs["initial"] = [lead._asdict() for lead in DEFAULT_LEADS]
        super().__init__(*args, **kwargs)


class LeadTimeInline(ClinicScopedInline):
    model = LeadTime
    clinic_path = "policy__clinic"
    formset = LeadFormSet

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 1 if obj else len(DEFAULT_LEADS)


@admin.register(ReminderPolicy)
class ReminderPolicyAdmin(ClinicScopedAdmin):
    section = Section.TEXTS
    about = _("When patients are reminded, by what, and when it is quiet.")
    once = True
    inlines = [LeadTimeInline]
    list_display = ("of_clinic", "sms", "quiet_from", "quiet_until", "form_lead")
    audited_fields = ("sms", "form_lead")
    list_select_related = ("clinic",)

    @admin.display(description=_("clinic"), ordering="clinic__name")
    def of_clinic(self, policy: ReminderPolicy) -> str:
        """Also for who has but one: it is the name of the row."""
        return policy.clinic.name


@admin.register(LeadTime)
class LeadTimeAdmin(ClinicScopedAdmin):
    """Under its rules, and on the trail by itself."""

    clinic_path = "policy__clinic"
    list_display = ("policy", "minutes", "email", "sms")
    audited_fields = ("minutes", "email", "sms")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ContactPreference)
class ContactPreferenceAdmin(ClinicScopedAdmin):
    """Deleting a row takes an opt-out or a mark back."""

    section = Section.VISITS
    about = _("Who wants no e-mail or texts, and whose address does not work.")
    clinic_path = "patient__clinic"
    patient_path = "patient"
    list_display = ("patient", "channel", "opted_out_at", "bounced_at")
    list_filter = ("channel", ("opted_out_at", HappenedFilter), ("bounced_at", HappenedFilter))
    list_select_related = ("patient",)
    search_fields = ("patient__family_name",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Confirmation)
class ConfirmationAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("Who said that they will come.")
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True
    list_display = ("appointment", "channel", "confirmed_at")
    list_filter = ("channel",)
    date_hierarchy = "confirmed_at"
    list_select_related = ("appointment__practitioner",)
