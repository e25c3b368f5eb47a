"""``SESSION_ENGINE``: sessions in the database, under a keyed hash of the cookie, and sealed.

They hold what is typed while booking, a new phone's seed, new recovery codes. What does not open is an empty session,
and its owner signs in again: so it goes with a key that is taken away. One that has ended is gone at once, for every
page and socket; a request that runs meanwhile cannot bring it back.
"""

import uuid
from collections.abc import Callable
from typing import Any, Self

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.keys import ring, sealing
from accounts.models import Session
from accounts.sessions.limits import limit_of


class SessionStore(SessionBase):
    row: Session | None = None  # once it was read or made

    # Of SessionBase, for type checking.
    _session_cache: dict[str, Any]
    _session: dict[str, Any]
    _get_session: Callable[..., dict[str, Any]]
    _get_new_session_key: Callable[[], str]

    @classmethod
    def of(cls, session_id: uuid.UUID) -> Self:
        """The session whose cookie was seen before, whatever key it has by now; empty when it has ended."""
        store = cls()
        row = Session.objects.filter(pk=session_id, expires_at__gt=timezone.now()).first()
        store._session_cache = store._opened(row) if row else {}
        return store

    def read(self) -> Session | None:
        """The row behind it, read if it was not yet; None where there is none."""
        self._get_session()
        return self.row

    def load(self) -> dict[str, Any]:
        row = Session.objects.filter(key_hash=hash_key(self.session_key), expires_at__gt=timezone.now()).first()
        if row is None:
            self._session_key = None
            return {}
        return self._opened(row)

    def locked(self) -> dict[str, Any]:
        """What is in it now, whatever was read before; nobody else writes it meanwhile. Empty when it ended."""
        row = Session.objects.select_for_update().filter(key_hash=hash_key(self.session_key)).first()
        return self._opened(row) if row else {}

    def _opened(self, row: Session) -> dict[str, Any]:
        self.row = row
        try:
            return self.decode(sealing.open_(row.data, _place(row.key_hash)))
        except (sealing.CannotOpen, ring.UnknownKey):
            return {}

    def exists(self, session_key: str | None) -> bool:
        return Session.objects.filter(key_hash=hash_key(session_key)).exists()

    def create(self) -> None:
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Write what the session holds. Raises UpdateError when it has ended meanwhile. Its end stays when it was."""
        data, row = self._get_session(no_load=must_create), self.row
        if must_create:
            key_hash, now = hash_key(self.session_key), timezone.now()
            end = limit_of(None).end(began_at=now, seen_at=now)
            self.row = Session.objects.create(
                key_hash=key_hash, data=self._sealed(data, key_hash), began_at=now, seen_at=now, expires_at=end
            )
        elif row is None:
            self.create()
        else:
            same = Session.objects.filter(pk=row.pk, key_hash=row.key_hash)
            if not same.update(data=self._sealed(data, row.key_hash)):
                raise UpdateError

    def cycle_key(self) -> None:
        """A new key for the same session. Raises SessionInterrupted when somebody's has ended meanwhile."""
        data, row = self._session, self.row
        if row is None:
            self.create()
        else:
            self._session_key = self._get_new_session_key()
            key_hash = hash_key(self._session_key)
            same = Session.objects.filter(pk=row.pk, key_hash=row.key_hash)
            if same.update(key_hash=key_hash, data=self._sealed(data, key_hash)):
                row.key_hash = key_hash
            elif SESSION_KEY in data:
                raise SessionInterrupted
            else:
                self.create()  # a link was opened twice at the same moment
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        key = self.session_key if session_key is None else session_key
        if key is not None:
            Session.objects.filter(key_hash=hash_key(key)).delete()
        if key == self.session_key:
            self.row = None

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.filter(expires_at__lte=timezone.now()).delete()

    def _sealed(self, data: dict[str, Any], key_hash: str) -> str:
        return sealing.seal(self.encode(data), _place(key_hash))


def hash_key(session_key: str | None) -> str:
    """HMAC-SHA256 of the cookie under a key derived from SECRET_KEY."""
    return salted_hmac("accounts.sessions", session_key or "", algorithm="sha256").hexdigest()


def _place(key_hash: str) -> str:
    return f"sessions/{key_hash}"
