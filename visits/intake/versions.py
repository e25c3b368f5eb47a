"""A questionnaire that was answered is changed by a next version, which then takes its place."""

import uuid

from django.db import transaction
from django.db.models import Max

from visits.intake.models import Intake, Questionnaire, QuestionnaireItem


@transaction.atomic
def next_version(questionnaire: Questionnaire) -> Questionnaire:
    """Save a copy with all its questions, to be changed; nobody is asked it until it is put in place."""
    versions = Questionnaire.objects.filter(url=questionnaire.url)
    list(versions.select_for_update(no_key=True).order_by("pk"))  # of two at once, the second counts the first's
    newest = versions.aggregate(Max("version"))["version__max"]
    copy = Questionnaire.objects.create(
        clinic=questionnaire.clinic,
        url=questionnaire.url,
        version=newest + 1,
        title_en=questionnaire.title_en,
        title_es=questionnaire.title_es,
    )
    items = list(questionnaire.items.all())
    for item in items:
        item.pk, item.questionnaire = uuid.uuid4(), copy
    QuestionnaireItem.objects.bulk_create(items)
    return copy


def put_in_place(questionnaire: Questionnaire) -> int:
    """Ask this version wherever another one of the same questionnaire was asked; return for how many visit types.

    Who has begun to answer the other one goes on with that.
    """
    others = Intake.objects.filter(questionnaire__url=questionnaire.url).exclude(questionnaire=questionnaire)
    return others.update(questionnaire=questionnaire)
