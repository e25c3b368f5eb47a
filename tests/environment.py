"""What settings.py wants to find, set before Django is loaded (``-p tests.environment``).

Real servers: Valkey always; PostgreSQL when TELEHEALTH_TEST_DATABASE=postgresql, else SQLite.
"""

import atexit
import base64
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from telehealth.embedded import start_valkey, stop
from tests.servers import start_postgres

# Short, since a Unix socket's path may have 107 bytes at most.
FOLDER = Path(tempfile.mkdtemp(prefix="th-"))
FOLDER.chmod(0o755)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

os.environ.update(
    TELEHEALTH_DATA=str(FOLDER),
    TELEHEALTH_SECRET_KEY=secrets.token_urlsafe(48),
    TELEHEALTH_RELAY_SECRET=secrets.token_urlsafe(48),
    TELEHEALTH_AUDIT_KEY=secrets.token_urlsafe(48),
    TELEHEALTH_DATA_KEYS=f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    TELEHEALTH_BASE_URL="http://localhost",
    TELEHEALTH_ALLOWED_HOSTS="localhost,testserver",
)

(FOLDER / "static").mkdir()
(FOLDER / "valkey").mkdir()
_valkey, os.environ["TELEHEALTH_REDIS_URL"] = start_valkey(FOLDER / "valkey")
atexit.register(stop, _valkey)

if os.environ.get("TELEHEALTH_TEST_DATABASE") == "postgresql":
    (FOLDER / "pg").mkdir()
    _postgres, os.environ["TELEHEALTH_DATABASE_URL"] = start_postgres(FOLDER / "pg")
    atexit.register(stop, _postgres)
else:
    os.environ["TELEHEALTH_DATABASE_URL"] = f"sqlite:///{FOLDER}/telehealth.sqlite3"
