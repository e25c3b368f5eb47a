"""What sessions hold, as the database sees it."""

import pytest

from accounts.models import Session
from accounts.sessions.store import SessionStore, hash_key
from tests.accounts.keys.rings import NEW, OLD, ring

pytestmark = pytest.mark.django_db


def made() -> SessionStore:
    store = SessionStore()
    store["typed"] = "Rosa"
    store.save()
    return store


def test_a_session_is_sealed_and_opens_for_its_own_cookie_alone() -> None:
    one, other = made(), made()
    assert SessionStore(one.session_key)["typed"] == "Rosa"

    data = Session.objects.get(key_hash=hash_key(one.session_key)).data
    assert data.startswith("e1:test:")
    Session.objects.filter(key_hash=hash_key(other.session_key)).update(data=data)

    assert SessionStore(other.session_key).get("typed") is None


def test_a_session_under_a_key_that_was_taken_away_is_empty() -> None:
    with ring(OLD):
        key = made().session_key

    with ring(NEW, OLD):
        assert SessionStore(key)["typed"] == "Rosa"
    with ring(NEW):
        assert SessionStore(key).get("typed") is None
