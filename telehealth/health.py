"""Whether this process can do its work, for a load balancer or the launcher."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from accounts.doors import public


@public
def health(request: HttpRequest) -> HttpResponse:
    """200 when the database and Redis answer, else 503 with the name of what does not."""
    missing = [name for name, answers in (("database", _database_answers), ("redis", _redis_answers)) if not answers()]
    return HttpResponse(" ".join(missing) or "ok", status=503 if missing else 200, content_type="text/plain")


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
