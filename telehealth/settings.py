"""The one settings file. Every value that differs between installations comes from the environment.

The variables are listed in README.md. A missing or weak secret stops the start, in the demo too:
there the launcher makes random ones and keeps them in the data folder.
"""

from datetime import timedelta
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from telehealth.env import (
    env_bool,
    env_clamd,
    env_data_keys,
    env_given_secret,
    env_int,
    env_list,
    env_secret,
    env_session_limits,
    env_str,
    env_turn_urls,
    env_url,
    mail_provider_settings,
    sms_backend,
    smtp_settings,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("TELEHEALTH_DATA", str(BASE_DIR / ".data"))).resolve()

DEMO = env_bool("TELEHEALTH_DEMO")
DEBUG = env_bool("TELEHEALTH_DEBUG")
SECRET_KEY = env_secret("TELEHEALTH_SECRET_KEY")
# Seals the audit trail, and lies outside of the database: who changes a row there cannot make its seal.
AUDIT_KEY = env_secret("TELEHEALTH_AUDIT_KEY")
AUDIT_ANCHORS = DATA_DIR / "audit-anchors"

# Where people reach us: scheme, host and port. Links in mails start with it.
_base = env_url("TELEHEALTH_BASE_URL", "http://localhost:8000", schemes=("http", "https"))
BASE_URL = f"{_base.scheme}://{_base.netloc}"
HTTPS = _base.scheme == "https"
ALLOWED_HOSTS = [_base.hostname, *env_list("TELEHEALTH_ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# Origins whose pages may open our sockets.
SOCKET_ORIGINS = [BASE_URL, *env_list("TELEHEALTH_SOCKET_ORIGINS")]

INSTALLED_APPS = [
    "accounts",
    "visits.schedule",
    "visits.booking",
    "visits.intake",
    "visits.reminders",
    "visits.calendar",
    "visits.online",
    "visits.waitlist",
    "visits.checkin",
    "visits.waiting",
    "visits.room",
    "visits.records",
    "visits.summary",
    "accounts.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "telehealth.apps.TelehealthConfig",
    "telehealth.storage.StaticFiles",
    "channels",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp_webauthn",
    "axes",
    "django_htmx",
    "csp",
]
if DEMO:
    INSTALLED_APPS.append("visits.demo")

MIDDLEWARE = [
    "accounts.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "telehealth.middleware.BrowserPolicyMiddleware",
    "telehealth.middleware.MethodMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.AccessMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "telehealth.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.who",
            ],
            "builtins": ["telehealth.ui"],
        },
    }
]

# --- data -------------------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.parse(env_str("TELEHEALTH_DATABASE_URL", f"sqlite:///{DATA_DIR}/telehealth.sqlite3"))
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # A write transaction takes the lock when it begins, so that two bookings queue up
        # instead of failing with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # Tests use a file too: threads share it as processes do in production.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What columns are sealed with (accounts.keys): the first key seals, all open.
DATA_KEYS = env_data_keys("TELEHEALTH_DATA_KEYS")

# redis://host:port/0 or unix:///path/to/socket
REDIS_URL = env_str("TELEHEALTH_REDIS_URL", "redis://127.0.0.1:6379/0")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "symmetric_encryption_keys": [SECRET_KEY]},
    }
}

# Counters (accounts.limit) and which sockets' tickets are unused (visits.live.tickets): nothing that may not be lost,
# nothing about patients.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "UTC"
# What somebody sits and waits for has a queue of its own; a worker that is told of no queue serves both.
CELERY_TASK_DEFAULT_QUEUE, PROMPT_QUEUE = "celery", "prompt"
CELERY_TASK_QUEUES = {name: {"exchange": name} for name in (CELERY_TASK_DEFAULT_QUEUE, PROMPT_QUEUE)}
CELERY_TASK_ROUTES = {
    f"{module}.tasks.{task}": {"queue": PROMPT_QUEUE}
    for module, task in (
        ("accounts.patients", "send_code"),
        ("accounts.password", "mail_link"),
        ("accounts.emergency", "tell_of"),
        ("visits.online", "send_code"),
        ("visits.reminders", "send_asked"),
    )
}

# --- the media relay --------------------------------------------------------------------------

RELAY_SECRET = env_secret("TELEHEALTH_RELAY_SECRET")
# A TURN server of the clinic's own, for browsers that nothing else gets through to the relay from.
TURN_URLS = env_turn_urls("TELEHEALTH_TURN_URLS")
TURN_SECRET = env_secret("TELEHEALTH_TURN_SECRET") if TURN_URLS else ""
# Who shows it may read /metrics/; without one there is no such page.
_has_metrics = any(env_str(f"TELEHEALTH_METRICS_TOKEN{suffix}") for suffix in ("", "_FILE"))
METRICS_TOKEN = env_secret("TELEHEALTH_METRICS_TOKEN", min_length=24) if _has_metrics else ""

# --- who may come in --------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # unique whatever the case, by a constraint that this check does not know (User.Meta)
    "otp_webauthn.E031",  # over plain HTTP browsers have no passkeys, but on localhost; our pages then offer none
    "security.W021",  # to be in browsers' preload lists is the domain owner's to decide: nobody leaves them soon
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# NIST SP 800-63B-4 allows 8 characters beside a second factor; 12 cost nobody much.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.password.validators.ContextValidator"},
]
# The others are for hashes of before, made anew at their owners' next sign-in.
PASSWORD_HASHERS = [
    "accounts.password.hashers.Argon2idPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGOUT_REDIRECT_URL = "accounts:signin"
STAFF_HOME = "waiting:today"
PATIENT_HOME = "online:me"
# Where a redeemed link leads by its scope, with pk=<what it opens>.
LINK_DESTINATIONS = {"visit": "checkin:start", "summary": "summary:read"}

# Wrong passwords lock the pair of account and address, never the account for everybody, and for a minute from the last
# that was checked, however many more come: the owner may sit behind the same address.
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=1)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "email"
AXES_USERNAME_CALLABLE = "accounts.login.guessing.hashed_account"  # its tables hold no address, tried or real
AXES_SENSITIVE_PARAMETERS = ["email", "next"]
AXES_DISABLE_ACCESS_LOG = True  # who came in is on the trail, and in the list of sessions
AXES_WHITELIST_CALLABLE = "accounts.login.guessing.is_counted_here"
AXES_LOCKOUT_CALLABLE = "accounts.login.views.locked_out"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
OTP_STATIC_THROTTLE_FACTOR = 0  # accounts/login/guessing.py says when a code waits
# How many proxies are in front of us; only then are X-Forwarded-For and -Proto believed.
PROXY_COUNT = env_int("TELEHEALTH_PROXY_COUNT", 0)
AXES_CLIENT_IP_CALLABLE = "accounts.audit.address.client_address"
PASSWORD_RESET_TIMEOUT = 24 * 3600

# Passkeys are bound to the host: who moves to another one enrols anew.
OTP_WEBAUTHN_RP_ID = _base.hostname
OTP_WEBAUTHN_RP_NAME_CALLABLE = "accounts.passkeys.services.relying_party_name"
OTP_WEBAUTHN_ALLOWED_ORIGINS = [BASE_URL]
# Its tracebacks say nothing that the trail does not.
OTP_WEBAUTHN_EXCEPTION_LOGGER_NAME = ""

SESSION_ENGINE = "accounts.sessions.store"
# Minutes without activity and in all, by role; of several roles the shortest.
SESSION_LIMITS = env_session_limits(
    "TELEHEALTH_SESSION_LIMITS",
    {
        "clinician": (15, 12 * 60),
        "front_desk": (15, 12 * 60),
        "clinic_admin": (10, 8 * 60),
        "auditor": (10, 8 * 60),
        "patient": (60, 24 * 60),
        "guest": (60, 24 * 60),
    },
)
SESSION_COOKIE_AGE = 24 * 3600  # the server ends sessions; a cookie that stays longer opens nothing
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
# On the server: the words of the board and of the admin name patients, and Django's default puts them into a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- what a browser may do --------------------------------------------------------------------

# A load balancer asks for our health by plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz/((audit|jobs|messages)/)?$"]
SECURE_SSL_REDIRECT = HTTPS and env_bool("TELEHEALTH_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXY_COUNT else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF, "blob:"],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# --- words, time, static files ----------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "telehealth" / "locale"]
FORMAT_MODULE_PATH = ["telehealth.formats"]
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env_str("TELEHEALTH_STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "telehealth.storage.ModuleStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
FILE_UPLOAD_MAX_MEMORY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
# Asked about every file that is sent in (accounts.uploads); None: nobody is.
CLAMD = env_clamd("TELEHEALTH_CLAMD")

# --- mail and text messages -------------------------------------------------------------------

DEFAULT_FROM_EMAIL = env_str("TELEHEALTH_MAIL_FROM", "Telehealth <no-reply@localhost>")
EMAIL_TIMEOUT = 20
# Without a server or a provider every message becomes a file; in the demo /dev/mail/ shows them.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
MAIL_PROVIDER = env_str("TELEHEALTH_MAIL_PROVIDER")
MAIL_WEBHOOKS = False
if MAIL_PROVIDER:
    INSTALLED_APPS.append("anymail")
    globals().update(mail_provider_settings(MAIL_PROVIDER))
elif env_str("TELEHEALTH_SMTP_URL"):
    globals().update(smtp_settings(env_url("TELEHEALTH_SMTP_URL", schemes=("smtp", "smtps"))))

SMS_BACKEND = sms_backend("TELEHEALTH_SMS")
SMS_FILE_PATH = DATA_DIR / "sms"
SMS_FROM = env_str("TELEHEALTH_SMS_FROM")
TWILIO_API = "https://api.twilio.com"
TWILIO_ACCOUNT_SID = env_str("TELEHEALTH_TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = env_given_secret("TELEHEALTH_TWILIO_AUTH_TOKEN") if SMS_BACKEND.endswith("TwilioBackend") else ""
# By kind of message: the dotted path of what makes its link, given the message, where that is not the visit's.
MESSAGE_LINKS: dict[str, str] = {
    "offer": "visits.waitlist.links.to_offer",
    "summary": "visits.summary.links.to_summary",
}

# --- logs: ids and outcomes, never names, addresses of people, links or message bodies ----------

LOG_LEVEL = env_str("TELEHEALTH_LOG_LEVEL", "WARNING")
QUIETER = ("WARNING", "ERROR", "CRITICAL")  # than INFO
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "hiding": {
            "()": "telehealth.logs.HidingFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "hiding"}},
    # Their own handlers would write beside ours, and hide nothing.
    "loggers": {
        "django": {"handlers": []},
        # Below INFO it writes down each handshake with its cookie and ticket.
        "uvicorn": {"handlers": [], "level": LOG_LEVEL if LOG_LEVEL in QUIETER else "INFO", "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": False},  # addresses hold what was searched for
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
