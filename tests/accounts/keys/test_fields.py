"""Encrypted columns, as code that uses them and as the database sees them."""

from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import isolate_apps

from accounts.keys import fields, sealing
from accounts.keys.fields import EncryptedTextField, Sealed, columns
from accounts.keys.sealing import CannotOpen
from tests import factories
from tests.accounts.keys.rings import NEW, OLD, ring
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def check_in(visit: Appointment) -> CheckIn:
    return CheckIn.objects.create(appointment=visit, location="12 Harbour Street", callback_phone="(555) 010-0188")


def stored(row: models.Model, column: str) -> str:
    with connection.cursor() as cursor:
        table, key = row._meta.db_table, row._meta.pk
        assert key is not None
        value = key.get_db_prep_value(row.pk, connection)
        cursor.execute(f"SELECT {column} FROM {table} WHERE {key.column} = %s", [value])
        return str(cursor.fetchone()[0])


def write(row: models.Model, column: str, value: str) -> None:
    key = row._meta.pk
    assert key is not None
    with transaction.atomic(), connection.cursor() as cursor:
        values = [value, key.get_db_prep_value(row.pk, connection)]
        cursor.execute(f"UPDATE {row._meta.db_table} SET {column} = %s WHERE {key.column} = %s", values)


def test_the_database_has_a_sealed_value_and_code_the_plain_one(check_in: CheckIn) -> None:
    assert check_in.location == CheckIn.objects.get().location == "12 Harbour Street"
    assert stored(check_in, "location").startswith("e1:test:")


def test_the_database_refuses_a_plain_value_however_it_comes(check_in: CheckIn) -> None:
    with pytest.raises(IntegrityError):
        write(check_in, "location", "12 Harbour Street")


def test_what_is_empty_stays_empty_and_can_be_asked_for(check_in: CheckIn) -> None:
    assert stored(check_in, "emergency_contact") == ""
    assert CheckIn.objects.filter(emergency_contact="").exists()
    assert not CheckIn.objects.filter(location="").exists()
    assert CheckIn.objects.filter(location__isnull=False).exists()


@pytest.mark.parametrize(
    "asked",
    [{"location": "12 Harbour Street"}, {"location__icontains": "Harbour"}, {"location__in": ["x"]},
     {"location__gt": "a"}, {"location__iregex": "."}, {"location__startswith": "e"}],
)  # fmt: skip
def test_a_search_in_a_sealed_column_says_that_it_cannot_be(asked: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match=r"checkin\.CheckIn\.location is encrypted"):
        CheckIn.objects.filter(**asked).exists()


def test_an_update_without_the_row_says_that_it_cannot_be(check_in: CheckIn) -> None:
    with pytest.raises(FieldError, match="written by saving its row"):
        CheckIn.objects.update(location="somewhere else")


def test_a_conditional_update_writes_the_row_as_it_is_now(check_in: CheckIn) -> None:
    check_in.location = "7 Hill Road"

    assert CheckIn.objects.filter(pk=check_in.pk, details_at=None).update(**columns(check_in, "location")) == 1

    assert CheckIn.objects.get().location == "7 Hill Road"


def test_a_value_of_another_row_or_column_does_not_open(check_in: CheckIn, practitioner: Any) -> None:
    other = CheckIn.objects.create(appointment=factories.make_visit(practitioner), location="7 Hill Road")
    write(check_in, "location", stored(other, "location"))
    write(check_in, "emergency_contact", stored(check_in, "callback_phone"))

    found = CheckIn.objects.get(pk=check_in.pk)

    with pytest.raises(CannotOpen, match=f"checkin.checkin.location/{check_in.pk}"):
        _ = found.location
    with pytest.raises(CannotOpen):
        _ = found.emergency_contact
    with pytest.raises(CannotOpen):
        found.save()
    assert found.callback_phone == "(555) 010-0188"


def test_a_saved_row_is_sealed_with_the_key_that_is_first_now(check_in: CheckIn, settings: Any) -> None:
    with ring(OLD, *settings.DATA_KEYS):
        CheckIn.objects.get().save()
        assert stored(check_in, "location").startswith("e1:old:")


def test_reading_rows_decrypts_nothing_that_is_not_looked_at(check_in: CheckIn, monkeypatch: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr(sealing, "open_", lambda token, place: opened.append(place) or "12 Harbour Street")

    found = CheckIn.objects.select_related("appointment__patient").get()
    assert not opened

    assert found.location == found.location == "12 Harbour Street"
    assert opened == [f"checkin.checkin.location/{check_in.pk}"]


def test_a_deferred_column_is_read_and_opened_when_it_is_asked_for(check_in: CheckIn) -> None:
    found = CheckIn.objects.defer("location").get()

    assert found.location == "12 Harbour Street"


def test_rows_made_together_are_sealed_each_for_itself(practitioner: Any) -> None:
    visits = [factories.make_visit(practitioner) for _ in range(2)]
    CheckIn.objects.bulk_create(CheckIn(appointment=visit, location="12 Harbour Street") for visit in visits)

    assert [row.location for row in CheckIn.objects.all()] == ["12 Harbour Street"] * 2
    assert isinstance(CheckIn.objects.values_list("location", flat=True)[0], Sealed)


def test_more_than_fits_is_refused_below_the_forms_too(check_in: CheckIn) -> None:
    check_in.location = "x" * 161

    with pytest.raises(ValueError, match="takes 160 characters"):
        check_in.save()


def test_a_form_knows_how_much_fits() -> None:
    assert CheckIn._meta.get_field("location").formfield().max_length == 160


@isolate_apps("accounts")
def test_a_row_whose_key_the_database_gives_must_be_bound_to_something_else() -> None:
    class Note(models.Model):  # noqa: DJ008
        words = EncryptedTextField(max_length=10)
        owner = models.IntegerField()
        bound = EncryptedTextField(max_length=10, bound_to="owner")

        class Meta:
            app_label = "accounts"

    assert [error.id for error in Note._meta.get_field("words").check()] == ["keys.E001"]
    assert Note._meta.get_field("bound").check() == []
    with ring(NEW):
        token = columns(Note(owner=7, bound="x"), "bound")["bound"]
        assert Note._meta.get_field("bound").opened(Note(owner=7), token) == "x"
        with pytest.raises(CannotOpen):
            Note._meta.get_field("bound").opened(Note(owner=8), token)


def test_a_field_says_in_migrations_what_it_is() -> None:
    field = EncryptedTextField(max_length=10, bound_to="owner_id")

    _name, path, _args, kwargs = field.deconstruct()

    assert path == f"{fields.__name__}.EncryptedTextField"
    assert kwargs == {"max_length": 10, "bound_to": "owner_id"}
