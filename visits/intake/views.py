"""The questions before a visit: a patient answers them, clinicians read the answers."""

import uuid

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.doors import PrincipalRequest, for_party, for_staff
from accounts.policy import Action
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.intake import services
from visits.intake.forms import AnswersForm
from visits.intake.models import QuestionnaireResponse
from visits.intake.wording import in_words

Status = QuestionnaireResponse.Status

# By the names of the page's buttons.
STATUS = {"later": Status.IN_PROGRESS, "visit": Status.STOPPED}


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def questions(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """All questions on one page. ``then`` in a POST says what comes after: nothing (go on), "later" or "visit"."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHECK_IN)
    if not services.may_answer(request.principal, visit):
        return redirect("checkin:start", pk=pk)
    if request.method == "POST":
        return _save(request, visit)
    return _page(request, visit) if services.takes_answers(visit) else redirect("checkin:start", pk=pk)


@require_safe
@for_staff(Action.INTAKE_READ)
def answers(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """What the patient answered: a page, or for htmx the part that is opened beside the call and in the record."""
    visit, response = services.read(request, pk)
    items = list(response.questionnaire.items.all()) if response else []
    context = {"visit": visit, "response": response, "answers": in_words(items, services.answers_in(response))}
    is_part = request.headers.get("HX-Request")
    return render(request, "intake/_answers.html" if is_part else "intake/answers.html", context)


def _save(request: PrincipalRequest, visit: Appointment) -> HttpResponse:
    questionnaire, response = services.questionnaire_of(visit), services.response_to(visit)
    if questionnaire is None:
        return redirect("checkin:start", pk=visit.pk)
    is_answered = response is not None and response.is_answered
    status = Status.COMPLETED if is_answered else STATUS.get(request.POST.get("then", ""), Status.COMPLETED)
    form = AnswersForm(list(questionnaire.items.all()), request.POST, is_final=status == Status.COMPLETED)
    # Who would rather talk is let through, whatever stands in the fields.
    if not form.is_valid() and status != Status.STOPPED:
        return _page(request, visit, form=form)
    try:
        services.answer(
            principal=request.principal,
            visit=visit,
            shown=request.POST.get("shown", ""),
            answers=form.answers,
            status=status,
        )
    except services.QuestionsChanged:
        return _page(request, visit, typed=form, has_changed=True)
    except services.AnswersClosed:
        if not visit.is_open:
            return redirect("checkin:start", pk=visit.pk)
        return _page(request, visit, typed=form, is_closed=True)
    return redirect("intake:questions" if status == Status.IN_PROGRESS else "checkin:start", pk=visit.pk)


def _page(
    request: PrincipalRequest,
    visit: Appointment,
    *,
    form: AnswersForm | None = None,
    typed: AnswersForm | None = None,
    **more: bool,
) -> HttpResponse:
    """``form`` is shown with what is wrong with it; what was ``typed`` is shown in the questions as they are now."""
    questionnaire, response = services.questionnaire_of(visit), services.response_to(visit)
    if questionnaire is None:
        return redirect("checkin:start", pk=visit.pk)
    items = list(questionnaire.items.all())
    if form is None:
        kept = AnswersForm.initial_of(items, services.answers_in(response))
        form = AnswersForm(items, initial=typed.typed if typed else kept)
    context = {
        "visit": visit,
        "step": "questions",
        "questionnaire": questionnaire,
        "response": response,
        "form": form,
        "shown": questionnaire.fingerprint(),
        "may_come_back": request.principal.may(Action.INTAKE_READ),
        **more,
    }
    return render(request, "intake/questions.html", context)
