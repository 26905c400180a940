"""Settings. Everything that differs between places comes from the environment; the defaults are the embedded set-up."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

import dj_database_url

from upgrader import logs, record_settings, signin_settings

BASE_DIR = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("HANDOVER_STATE", BASE_DIR / "var"))  # database, keys, bundles, snapshots
STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
REPOSITORY = STATE / "repository"
SNAPSHOTS = STATE / "snapshots"
RELEASE_THRESHOLD = int(os.environ.get("HANDOVER_RELEASE_THRESHOLD", "1"))  # different signers; below 1: none pass
APPROVERS_NEEDED = int(os.environ.get("HANDOVER_APPROVERS_NEEDED", "1"))  # whose keys sign what gateways must believe
COLLECT_SECONDS = float(os.environ.get("HANDOVER_COLLECT_SECONDS", "5"))  # how often gateways are measured; 0: never
COLLECT_MOST = int(os.environ.get("HANDOVER_COLLECT_MOST", "200"))  # gateways; for more of them there is Prometheus
PROBE_SECONDS = float(os.environ.get("HANDOVER_PROBE_SECONDS", "60"))  # how often each host signs in; 0: never
OTLP_URL = os.environ.get("HANDOVER_OTLP_URL", "")  # an OpenTelemetry collector for spans, "http://127.0.0.1:4318"
METRICS_TOKEN = os.environ.get("HANDOVER_METRICS_TOKEN", "")  # Prometheus sends it for /metrics; empty: 404
# How people reach this dashboard, "https://handover.example.org": alerts link there.
PUBLIC_URL = os.environ.get("HANDOVER_PUBLIC_URL", "").rstrip("/")
# Private addresses and networks to which alerts may be sent, with commas; public ones always may.
ALERTS_TO = [network for network in os.environ.get("HANDOVER_ALERTS_TO", "").split(",") if network]
INVENTORY_SECONDS = int(os.environ.get("HANDOVER_INVENTORY_SECONDS", "300"))  # how often drift is looked for
PROXIES, STEP_UP = signin_settings.PROXIES, signin_settings.STEP_UP
SIMULATED = os.environ.get("HANDOVER_SIMULATED", "") == "1"


def kept_secret(name: str) -> str:
    """Return the environment's value, else the one kept in STATE (made once, mode 0600)."""
    if value := os.environ.get(f"HANDOVER_{name.upper().replace('-', '_')}"):
        return value
    path = STATE / name
    if not path.exists():
        handle = os.open(path.with_suffix(f".{os.getpid()}"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(48))
        # A link fails if another process was faster: then that one's secret is the secret.
        with contextlib.suppress(FileExistsError):
            os.link(path.with_suffix(f".{os.getpid()}"), path)
        path.with_suffix(f".{os.getpid()}").unlink()
    return path.read_text()


SECRET_KEY = kept_secret("secret-key")
SEALING_KEY = kept_secret("sealing-key")  # wraps the data keys of fleet.Credential
SEALING_KEYS_OLD = [key for key in os.environ.get("HANDOVER_SEALING_KEYS_OLD", "").split(",") if key]
CHECKPOINT_KEY = kept_secret("checkpoint-key")  # signs the record's checkpoints; another key is noted in the record
CHECKPOINT_FILE, CHECKPOINT_SYSLOG, CHECKPOINT_WEBHOOK, CHECKPOINT_WEBHOOK_SECRET, NAMES_DAYS = record_settings.ALL
DEBUG = False
ALLOWED_HOSTS = os.environ.get("HANDOVER_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("HANDOVER_ORIGINS", "").split(",") if origin]
HTTPS = os.environ.get("HANDOVER_HTTPS", "") == "1"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "guardian",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "approvals",
    "fleet",
    "releases",
    "upgrader",
]

# Modules that register kinds of changes which need a second person (approvals/changes.py), and who hears of them.
CHANGES = [
    "approvals.keys",
    "fleet.changes",
    "releases.changes",
    "releases.kit",
    "upgrader.changes",
    "upgrader.inbox",
    "approvals.policy_changes",
    "upgrader.policy_kinds",
]
CHANGES += ["approvals.people_services", "upgrader.record_names"]  # roles; what events of the record are about

# The test matrix: who builds its staging gateway, and the list of known weaknesses.
MATRIX_BENCH = os.environ.get("HANDOVER_MATRIX_BENCH", "lab.matrix.bench")
MATRIX_FLOOR = Path(os.environ.get("HANDOVER_MATRIX_FLOOR", BASE_DIR / "releases/matrix/floor.json"))

MIDDLEWARE = [
    "approvals.requests.Numbered",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "approvals.middleware.SignedIn",
    "approvals.sessions.Seen",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "approvals.reading.remembers",
    "upgrader.views.errors.Designed",
    "approvals.requests.takes_forms",
]

ROOT_URLCONF = "upgrader.urls"
ASGI_APPLICATION = "upgrader.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "upgrader.context.house",
            ],
        },
    },
]

AUTH_USER_MODEL = "approvals.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
globals().update(
    {name: value for name, value in vars(signin_settings).items() if name.startswith(signin_settings.OURS)}
)
PASSWORD_RESET_TIMEOUT = 24 * 3600  # of the links with which an administrator lets somebody set his password
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# IMMEDIATE and a long time-out: the defaults answer "database is locked" within milliseconds under our load.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
}
DATABASES = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL", f"sqlite:///{STATE / 'handover.sqlite3'}"))
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
# Used codes and wrong passwords must be known to all processes, also while the broker is away.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "approvals_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A unix socket in STATE is the embedded Valkey (script/serve starts it); REDIS_URL replaces it.
REDIS_URL = os.environ.get("REDIS_URL", f"unix://{STATE / 'valkey.sock'}")
BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)

# One Python process uses one core: more than one is for thousands of gateways. The number is the
# same on all machines; WORKER is which of them this process is, None for one that does the work of all.
WORKERS = max(1, int(os.environ.get("HANDOVER_WORKERS", "1")))
WORKER = int(os.environ["HANDOVER_WORKER"]) if "HANDOVER_WORKER" in os.environ else None

CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {
    name: {} for name in ("celery", *(f"worker-{n}" for n in range(WORKERS)))
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # rows and leases do the redelivery; late acks run tasks twice at once
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_TASK_PUBLISH_RETRY = False  # a lost message is a lost hint: the tick finds the row
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {"task": "upgrader.tasks.tick", "schedule": 1.0, "options": {"expires": 2}},
    "balancers": {"task": "upgrader.tasks.look_at_balancers", "schedule": 30.0, "options": {"expires": 30}},
    "look": {"task": "upgrader.tasks.look", "schedule": 10.0, "options": {"expires": 10}},
    "judge": {"task": "upgrader.tasks.judge", "schedule": 10.0, "options": {"expires": 10}},
    "tell": {"task": "upgrader.tasks.tell", "schedule": 5.0, "options": {"expires": 5}},
    "tickets": {"task": "upgrader.tasks.join_tickets", "schedule": 10.0, "options": {"expires": 10}},
    "prometheus": {"task": "upgrader.tasks.ask_prometheus", "schedule": 30.0, "options": {"expires": 30}},
    "record": {"task": "upgrader.tasks.sign_record", "schedule": 1.0, "options": {"expires": 2}},
    "roll_up": {"task": "upgrader.tasks.roll_up", "schedule": 60.0, "options": {"expires": 60}},
}
if PROBE_SECONDS:
    CELERY_BEAT_SCHEDULE["probe"] = {"task": "upgrader.tasks.probe", "schedule": 5.0, "options": {"expires": 5}}
if COLLECT_SECONDS:
    CELERY_BEAT_SCHEDULE["quiet"] = {
        "task": "upgrader.tasks.look_for_loss",
        "schedule": 60.0,
        "options": {"expires": 60},
    }
    CELERY_BEAT_SCHEDULE["collect"] = {
        "task": "upgrader.tasks.collect",
        "schedule": COLLECT_SECONDS,
        "options": {"expires": COLLECT_SECONDS},
    }

# Kept releases: files below REPOSITORY, or a bucket. boto3 reads the key from AWS_ACCESS_KEY_ID and its kin itself.
S3_BUCKET = os.environ.get("HANDOVER_S3_BUCKET", "")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "releases": {"BACKEND": "releases.storage.Files"},
}
if S3_BUCKET:
    STORAGES["releases"] = {
        "BACKEND": "releases.s3.Bucket",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": os.environ.get("HANDOVER_S3_ENDPOINT") or None,
            "region_name": os.environ.get("HANDOVER_S3_REGION") or None,
            "location": os.environ.get("HANDOVER_S3_PREFIX", ""),
        },
    }

# Where gateways that call in download bundles from, "https://handover.example.org"; empty: all get them over SSH.
DOWNLOAD_URL = os.environ.get("HANDOVER_DOWNLOAD_URL", "").rstrip("/")
DOWNLOAD_RATE = int(os.environ.get("HANDOVER_DOWNLOAD_RATE", "0"))  # bytes a second for all downloads; 0: no limit
TICKET_MINUTES = int(os.environ.get("HANDOVER_TICKET_MINUTES", "15"))

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
# The proxy that ends TLS says so, and must say so itself: it overwrites what a browser sends.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        # The hash of the empty string: plotly.js sets empty style elements (plotly.js#7543). It allows nothing else.
        "style-src": ["'self'", "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}

LOG_FORMAT, LOG_LEVEL = logs.chosen(os.environ.get("HANDOVER_LOG", "json"))
# What they say at INFO is about themselves.
QUIET_LOGGERS = ("celery", "kombu", "paramiko", "urllib3", "uvicorn")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "upgrader.logs.Json"}, "text": {"()": "upgrader.logs.Text"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {**{name: {"level": "WARNING"} for name in QUIET_LOGGERS}, "paramiko.scan": {"level": "CRITICAL"}},
}
