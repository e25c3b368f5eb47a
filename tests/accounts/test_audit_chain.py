"""The audit trail cannot be changed in silence, by whoever has the database and not the key.

What is done to it here goes round the triggers, as a superuser of the database would.
"""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client, override_settings
from django.utils import timezone
from freezegun import freeze_time
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.audit import anchors, digests, sealing, services
from accounts.models import AuditAnchor, AuditEvent, AuditSeal, Clinic, UnsealedEvent, User
from tests.flush import without_triggers
from tests.threads import at_once

ON_SQLITE = connection.vendor == "sqlite"
TABLES = ["accounts_auditevent", "accounts_auditseal", "accounts_auditanchor"]


@pytest.fixture(autouse=True)
def anchors_file(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_ANCHORS = tmp_path / "audit-anchors"
    return tmp_path / "audit-anchors"


def note(**fields: Any) -> AuditEvent:
    return services.record("patient.view", AuditEvent.Action.READ, **fields)


def verified() -> str:
    """What the command prints, where all is well. CommandError says what is not."""
    out = StringIO()
    call_command("verify_audit", stdout=out)
    return out.getvalue()


@pytest.fixture
def trail(clinic: Clinic, clinician: User) -> list[AuditEvent]:
    """Ten rows, sealed and anchored; one of them without anybody."""
    for number in range(9):
        note(clinic=clinic, user=clinician, entity=clinic, detail={"number": number})
    note()
    sealing.seal()
    assert "10 rows" in verified()
    return list(AuditEvent.objects.order_by("id"))


def by_force(*statements: str) -> None:
    """As a superuser does it: past triggers and foreign keys."""
    with connection.constraint_checks_disabled(), without_triggers(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_row_carries_a_digest_of_every_column():
    """Row 6 of the checklist: alteration of an audit row is detected, whichever column it is."""
    columns = {field.attname for field in AuditEvent._meta.concrete_fields}

    assert columns == {*digests.COLUMNS, "id", "digest", "address", "detail"}


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
DETAILS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.integers(),
    PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text("abc"), PLAIN, max_size=3),
    max_size=4,
)


@pytest.mark.django_db
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=DETAILS, address=st.none() | st.ip_addresses().map(str), at=st.datetimes(datetime(2020, 1, 1)))
def test_a_row_that_comes_back_from_the_database_has_the_same_digest(detail, address, at):
    with transaction.atomic():
        event = AuditEvent(subtype="x.y", action="R", address=address, detail=detail, recorded=at.replace(tzinfo=UTC))
        event.digest = digests.row_digest(event)
        event.save()

    assert digests.row_digest(AuditEvent.objects.get(pk=event.pk)) == event.digest


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", TABLES)
def test_the_database_refuses_to_change_or_delete(trail, table):
    column = "subtype" if table == "accounts_auditevent" else "digest"
    statements = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]
    statements += [f"TRUNCATE {table} CASCADE"] if connection.vendor == "postgresql" else []

    for statement in statements:
        with pytest.raises(DatabaseError, match="audit_append_only"), connection.cursor() as cursor:
            cursor.execute(statement)


# --- sealing --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_rows_are_chained_once_in_one_line(trail):
    assert list(AuditSeal.objects.order_by("position").values_list("position", "event_id")) == [
        (number, event.pk) for number, event in enumerate(trail, 1)
    ]
    assert sealing.seal() == 0
    assert not UnsealedEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_was_rolled_back_is_no_hole(trail):
    with transaction.atomic():
        note()
        transaction.set_rollback(True)
    note()

    assert sealing.seal() == 1
    assert "11 rows" in verified()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer at a time: no two can be on their way at once")
def test_a_row_that_is_committed_late_comes_later_in_the_chain(trail):
    written, sealed = Event(), Event()

    def slow() -> int:
        with transaction.atomic():
            event = note()
            written.set()
            assert sealed.wait(20)
        return event.pk

    def quick() -> int:
        assert written.wait(20)
        event = note()
        sealing.seal()
        sealed.set()
        return event.pk

    late, early = at_once([slow, quick])
    sealing.seal()

    assert late < early
    assert list(AuditSeal.objects.order_by("position").values_list("event_id", flat=True))[-2:] == [early, late]
    assert "12 rows" in verified()


@pytest.mark.django_db(transaction=True)
def test_twenty_write_while_sealers_seal_and_nothing_is_left_out_or_twice(clinic):
    done: list[int] = []

    def write() -> None:
        for _ in range(10):
            with transaction.atomic():
                note(clinic=clinic)
        done.append(1)

    def keep_sealing() -> int:
        sealed = 0
        while len(done) < 20:
            sealed += sealing.seal()
        return sealed

    at_once([*[write] * 20, keep_sealing, keep_sealing])
    sealing.seal()

    assert AuditSeal.objects.count() == 200
    assert "200 rows, 0 not sealed yet" in verified()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "place",
    [
        "django.db.models.query.QuerySet.bulk_create",
        "django.db.models.query.QuerySet.delete",
        "accounts.audit.anchors.anchor_if_due",
        "os.write",
    ],
)
def test_a_sealer_that_is_killed_leaves_nothing_that_the_next_does_not_finish(trail, monkeypatch, place):
    note()
    with monkeypatch.context() as patch, freeze_time(timezone.now() + timedelta(minutes=2)):
        patch.setattr(place, kill)
        with pytest.raises(Killed):
            sealing.seal()

    with freeze_time(timezone.now() + timedelta(minutes=2)):
        sealing.seal()
    assert "11 rows, 0 not sealed yet" in verified()
    assert AuditAnchor.objects.count() == 2


class Killed(BaseException):
    pass


def kill(*args: Any, **kwargs: Any) -> None:
    raise Killed


@pytest.mark.django_db(transaction=True)
def test_anchors_come_by_time_and_by_number(trail, anchors_file, monkeypatch):
    note()
    sealing.seal()
    assert AuditAnchor.objects.count() == 1

    with freeze_time(timezone.now() + timedelta(minutes=1)):
        sealing.seal()
    assert AuditAnchor.objects.count() == 2

    monkeypatch.setattr(anchors, "ROWS", 3)
    for _ in range(3):
        note()
    sealing.seal()
    assert list(AuditAnchor.objects.order_by("position").values_list("position", flat=True)) == [10, 11, 14]
    assert [json.loads(line)["position"] for line in anchors_file.read_text().splitlines()] == [10, 11, 14]
    assert anchors_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db(transaction=True)
def test_a_file_that_was_taken_away_is_filled_again(trail, anchors_file):
    kept = anchors_file.read_text()
    anchors_file.unlink()
    with pytest.raises(CommandError, match="is missing"):
        verified()

    sealing.seal()

    assert anchors_file.read_text() == kept


# --- what is found out ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_empty_trail_is_whole():
    assert "0 rows" in verified()
    assert re.search(r"Ed25519\): [0-9a-f]{64}$", verified().strip())


COLUMNS = {
    "recorded": "'2020-01-01 00:00:00+00:00'",
    "clinic_id": "NULL",
    "user_id": "NULL",
    "link_id": f"'{uuid.uuid4()}'",
    "role": "'patient'",
    "action": "'C'",
    "subtype": "'patient.vieW'",
    "outcome": "'8'",
    "entity_type": "'x'",
    "entity_id": "'1'",
    "patient_id": f"'{uuid.uuid4()}'",
    "address": "'192.0.2.1'",
    "request_id": "'x'",
    "detail": """'{"number": 5}'""",
    "uid": f"'{uuid.uuid4()}'",
    "digest": f"'{'0' * 64}'",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_value_is_found_in_its_row(trail, column):
    """Row 6 of the checklist: flip one byte by superuser, the verifier names the row."""
    by_force(f"UPDATE accounts_auditevent SET {column} = {COLUMNS[column]} WHERE id = {trail[3].pk}")

    with pytest.raises(CommandError, match=rf"row {trail[3].pk} was altered"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_not_sealed_yet_is_checked_too(trail):
    event = note()
    by_force(f"UPDATE accounts_auditevent SET outcome = '8' WHERE id = {event.pk}")

    with pytest.raises(CommandError, match=rf"row {event.pk} was altered"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_removed_from_the_middle_is_named(trail):
    by_force(f"DELETE FROM accounts_auditevent WHERE id = {trail[4].pk}")

    with pytest.raises(CommandError, match=rf"row {trail[4].pk} is missing"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_removed_with_its_seal_leaves_a_hole(trail):
    by_force(
        "DELETE FROM accounts_auditseal WHERE position = 5",
        f"DELETE FROM accounts_auditevent WHERE id = {trail[4].pk}",
    )

    with pytest.raises(CommandError, match=rf"place 5 of the chain is missing, before row {trail[5].pk}"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_chain_that_is_closed_over_a_hole_without_the_key_is_found(trail):
    by_force(
        "DELETE FROM accounts_auditseal WHERE position = 5",
        f"DELETE FROM accounts_auditevent WHERE id = {trail[4].pk}",
        *(f"UPDATE accounts_auditseal SET position = {n - 1} WHERE position = {n}" for n in range(6, 11)),
    )

    with pytest.raises(CommandError, match=rf"row {trail[5].pk} does not belong at place 5"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_two_rows_that_changed_places_are_found(trail):
    one, other = trail[2].pk, trail[6].pk
    by_force(
        f"UPDATE accounts_auditevent SET id = -1 WHERE id = {one}",
        f"UPDATE accounts_auditevent SET id = {one} WHERE id = {other}",
        f"UPDATE accounts_auditevent SET id = {other} WHERE id = -1",
    )

    with pytest.raises(CommandError, match=rf"row {one} does not belong at place 3"):
        verified()


def cut_tail(trail: list[AuditEvent], left: int) -> None:
    by_force(
        f"DELETE FROM accounts_auditanchor WHERE position > {left}",
        f"DELETE FROM accounts_auditseal WHERE position > {left}",
        f"DELETE FROM accounts_auditevent WHERE id > {trail[left - 1].pk}",
    )


@pytest.mark.django_db(transaction=True)
def test_a_tail_that_is_cut_off_every_table_is_found_by_the_anchors_outside(trail):
    """Row 6 of the checklist: truncate the tail, detected by the anchor."""
    cut_tail(trail, 7)

    with pytest.raises(CommandError, match=rf"cut off after row {trail[6].pk}: an anchor in the file .* has 10 rows"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_tail_that_is_cut_off_the_file_too_is_found_by_a_copy_kept_elsewhere(trail, anchors_file, tmp_path):
    copy = tmp_path / "copy"
    copy.write_text(anchors_file.read_text())
    cut_tail(trail, 7)
    anchors_file.write_text("")
    assert "7 rows" in verified()

    with pytest.raises(CommandError, match="cut off"):
        call_command("verify_audit", anchors=copy)


@pytest.mark.django_db(transaction=True)
def test_all_of_it_gone_is_found(trail):
    by_force(*(f"DELETE FROM {table}" for table in reversed(TABLES)))

    with pytest.raises(CommandError, match="cut off after its beginning"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_seals_that_are_taken_off_and_made_anew_without_the_key_are_found(trail, tmp_path):
    """The whole chain and every digest done again, consistently, with another key."""
    by_force(
        f"UPDATE accounts_auditevent SET outcome = '8' WHERE id = {trail[3].pk}",
        "DELETE FROM accounts_auditanchor",
        "DELETE FROM accounts_auditseal",
        "INSERT INTO accounts_unsealedevent (event_id) SELECT id FROM accounts_auditevent",
    )
    with override_settings(AUDIT_KEY="another key", AUDIT_ANCHORS=tmp_path / "theirs"):
        again = [(event.pk, digests.row_digest(event)) for event in AuditEvent.objects.all()]
        by_force(*(f"UPDATE accounts_auditevent SET digest = '{new}' WHERE id = {pk}" for pk, new in again))
        sealing.seal()

    with pytest.raises(CommandError, match=rf"row {trail[0].pk} was altered"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_chain_made_by_our_own_sealer_over_fewer_rows_is_found(trail):
    """Rows taken out, the chain emptied: the sealer, which has the key, makes it anew."""
    by_force(
        "DELETE FROM accounts_auditanchor",
        "DELETE FROM accounts_auditseal",
        f"DELETE FROM accounts_auditevent WHERE id = {trail[3].pk}",
        "INSERT INTO accounts_unsealedevent (event_id) SELECT id FROM accounts_auditevent",
    )
    note()
    note()
    sealing.seal()

    with pytest.raises(CommandError, match="is another one than the anchor in the file signed"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_forged_row_is_found_although_it_was_sealed(trail):
    AuditEvent.objects.create(subtype="patient.view", action="R", digest="0" * 64)
    forged = AuditEvent.objects.latest("id")
    sealing.seal()

    with pytest.raises(CommandError, match=rf"row {forged.pk} was altered"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_copied_row_is_refused(trail):
    trail[3].pk = None

    with pytest.raises(IntegrityError):
        trail[3].save(force_insert=True)


@pytest.mark.django_db
@pytest.mark.skipif(ON_SQLITE, reason="SQLite cannot drop a constraint, which this forgery needs")
def test_a_copied_row_is_found_where_the_database_was_made_to_take_it(trail):
    original = trail[3].pk
    with connection.cursor() as cursor:
        known = connection.introspection.get_constraints(cursor, "accounts_auditevent")
        unique = next(name for name, rule in known.items() if rule["unique"] and rule["columns"] == ["uid"])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE accounts_auditevent DROP CONSTRAINT {unique}")
    trail[3].pk = None
    trail[3].save(force_insert=True)
    sealing.seal()

    with pytest.raises(CommandError, match=rf"row {trail[3].pk} is a copy of row {original}"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_row_whose_seal_was_taken_off_the_end_is_named(trail, anchors_file):
    by_force("DELETE FROM accounts_auditseal WHERE position = 10", "DELETE FROM accounts_auditanchor")
    anchors_file.write_text("")

    with pytest.raises(CommandError, match=rf"row {trail[9].pk} has lost its place"):
        verified()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_was_removed_before_it_was_sealed_is_named(trail):
    event = note()
    by_force(f"DELETE FROM accounts_auditevent WHERE id = {event.pk}")

    with pytest.raises(CommandError, match=rf"row {event.pk} was removed before"):
        verified()


# --- health ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_sealer_that_has_stopped_shows_on_the_health_page(trail):
    page = Client().get("/healthz/audit/")
    assert (page.status_code, page.content.decode().splitlines()[0]) == (200, "ok")

    note()
    with freeze_time(timezone.now() + timedelta(minutes=2)):
        page = Client().get("/healthz/audit/")
    assert page.status_code == 503
    assert "seconds that the oldest event has not been sealed: 12" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_command_seals_too(trail, capsys):
    note()

    call_command("seal_audit")

    assert capsys.readouterr().out == "1 rows sealed.\n"


# --- what was there before ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_rows_from_before_the_chain_are_taken_as_they_are_then(trail):
    """Both ways through the migration; an event says how far the rows go that only it vouches for."""
    migrate("0003_clinic_encryption")
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM accounts_auditevent")
        assert cursor.fetchone() == (10,)
    with pytest.raises(DatabaseError, match="audit_append_only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditevent")

    migrate()

    begin = AuditEvent.objects.get(subtype="audit.begin")
    assert begin.detail == {"last": trail[-1].pk}
    assert sealing.seal() == 11
    assert AuditEvent.objects.get(pk=trail[3].pk).detail == trail[3].detail


def migrate(*name: str) -> None:
    with connection.constraint_checks_disabled():
        call_command("migrate", "accounts", *name, verbosity=0)
    if not name:
        call_command("migrate", verbosity=0)
