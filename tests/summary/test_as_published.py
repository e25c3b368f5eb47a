"""The database keeps what was published, whoever asks."""

from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from tests import factories
from tests.accounts.keys.rings import NEW, OLD, ring
from tests.accounts.keys.test_rotation import rotated
from tests.summary.conftest import CORRECTED, TEXT, publish, save, take_place
from visits.summary.models import Composition
from visits.summary.services import Text

pytestmark = pytest.mark.django_db


def refuse(sql: str, pk: UUID) -> None:
    key = pk.hex if connection.vendor == "sqlite" else str(pk)
    with pytest.raises(DatabaseError, match="summary_as_published"), transaction.atomic():
        connection.cursor().execute(sql.format(table="summary_composition"), [key])


@pytest.mark.parametrize(
    "change",
    [
        "what_to_do = ''",
        "what_to_do = 'e1:' || substr(what_to_do, 4, length(what_to_do) - 5) || 'AA'",
        "correction = talked_about",
        "author_name = 'Somebody else'",
        "status = 'preliminary', published_at = NULL",
        "published_at = NULL",
        "version = 7",
        "saves = saves + 1",
    ],
)
def test_what_was_published_cannot_be_changed(published, change):
    refuse(f"UPDATE {{table}} SET {change} WHERE id = %s", published.pk)

    assert Text.of(Composition.objects.get()) == TEXT


def test_the_orm_cannot_either(published):
    published.what_to_do = "Something else."
    with pytest.raises(DatabaseError, match="summary_as_published"), transaction.atomic():
        published.save()
    with pytest.raises(DatabaseError, match="summary_as_published"), transaction.atomic():
        Composition.objects.all().delete()


def test_what_was_published_cannot_be_removed(published):
    refuse("DELETE FROM {table} WHERE id = %s", published.pk)


def test_a_corrected_version_stays_too(author, ended, published):
    publish(author, ended, CORRECTED)

    refuse("DELETE FROM {table} WHERE id = %s", published.pk)
    refuse("UPDATE {table} SET version = 9 WHERE id = %s", published.pk)


def test_a_draft_can_be_changed_and_removed(author, ended):
    draft = save(author, ended)

    draft.delete()

    assert not Composition.objects.exists()


def test_there_is_one_draft_and_each_version_once(author, ended, published):
    draft = save(author, ended, CORRECTED)
    for version in (2, 3):
        with pytest.raises(DatabaseError), transaction.atomic():
            Composition.objects.create(
                appointment=ended, version=version, language="en", author=draft.author, author_name="x"
            )


def test_its_keys_are_changed_all_the_same(author, practitioner):
    """Row 4 of the checklist: what may not change is sealed anew by rotate_keys, and by that alone."""
    with ring(OLD):
        visit = take_place(factories.make_visit(practitioner))
        publish(author, visit)
        publish(author, visit, CORRECTED)

    with ring(NEW, OLD):
        said = rotated()
        assert "summary.Composition: 2 of 2" in said
        # Whoever has the new key may not write other words by it.
        row = Composition.objects.get(version=2)
        row.talked_about = "Something else."
        with pytest.raises(DatabaseError, match="summary_as_published"), transaction.atomic():
            row.save(update_fields=["talked_about"])

    with ring(NEW):
        assert {row.version: Text.of(row) for row in Composition.objects.all()} == {1: TEXT, 2: CORRECTED}
