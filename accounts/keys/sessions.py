"""Sessions in the database, sealed: they hold what is typed while booking, a new phone's seed, new recovery codes.

``SESSION_ENGINE``. What does not open is an empty session, and its owner signs in again: so it goes with a key that is
taken away.
"""

from typing import Any

from django.contrib.sessions.backends import db

from accounts.keys import ring, sealing


class SessionStore(db.SessionStore):
    def encode(self, session_dict: dict[str, Any]) -> str:
        return sealing.seal(super().encode(session_dict), self._place())

    def decode(self, session_data: Any) -> dict[str, Any]:
        try:
            return super().decode(sealing.open_(session_data, self._place()))
        except (sealing.CannotOpen, ring.UnknownKey):
            return {}

    def _place(self) -> str:
        return f"sessions/{self.session_key}"
