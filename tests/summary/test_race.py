"""Two windows at the same moment."""

from dataclasses import replace

import pytest

from tests.conftest import staff
from tests.summary.conftest import TEXT, save, take_place
from tests.threads import at_once
from visits.reminders.models import Communication
from visits.summary import services
from visits.summary.models import Composition

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_windows_that_publish_at_once_one_does(visit, clinician):
    author = staff(clinician)
    seen = save(author, take_place(visit)).token

    def publish(words):
        try:
            return services.publish(principal=author, visit=visit, text=replace(TEXT, what_to_do=words), seen=seen)
        except services.Meanwhile as meanwhile:
            return meanwhile

    results = at_once([lambda: publish("One."), lambda: publish("The other.")])

    assert sorted(type(one).__name__ for one in results) == ["Composition", "Meanwhile"]
    assert Composition.objects.get().status == "final"
    assert Communication.objects.filter(kind="summary").count() == 1


def test_the_same_words_published_twice_at_once_are_one_version(visit, clinician):
    author = staff(clinician)
    seen = save(author, take_place(visit)).token

    results = at_once([lambda: services.publish(principal=author, visit=visit, text=TEXT, seen=seen) for _ in range(2)])

    assert results[0] == results[1]
    assert Communication.objects.filter(kind="summary").count() == 1
