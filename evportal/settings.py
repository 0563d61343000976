"""The portal's settings: one file, grouped, that runs on a fresh checkout. Secrets: see evportal/env.py.

docs/settings.md is made of this file (`make papers`): of each setting that is read from the environment the comment,
above it or behind it, says what it is.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import dj_database_url
from celery.schedules import schedule
from csp.constants import NONE, SELF
from kombu import Exchange, Queue

from evportal import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
# File of KEY=value lines: what the environment leaves open; `make demo` writes it
env.load(Path(env.text("EVPORTAL_ENV_FILE", str(VAR_DIR / "env"))))

# --- Core
DEBUG = env.boolean("EVPORTAL_DEBUG", False)  # Django's error pages, with everything on them: for development alone
# Signs sessions and links, and seals what the database keeps and must read again (docs/operators.md: how to change it)
SECRET_KEY = env.secret_kept_in(VAR_DIR / "secrets" / "django_secret_key", "EVPORTAL_SECRET_KEY")
# Former ones, after a change, until `manage.py reseal` has run
SECRET_KEY_FALLBACKS = env.listing("EVPORTAL_SECRET_KEY_FALLBACKS")
# Under which names people reach it
ALLOWED_HOSTS = env.listing("EVPORTAL_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
# Further origins (https://NAME) whose pages may post forms to us
CSRF_TRUSTED_ORIGINS = env.listing("EVPORTAL_CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "evportal.urls"
WSGI_APPLICATION = "evportal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "accounts.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "csp",
    "accounts",
    "stations",
    "gateway",
    "ledger",
    "portal",
    "tpm",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.login.middleware.AccessMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.support.view.SupportMiddleware",  # the last: it swaps the reader
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"api_docs": "evportal.openapi.tags"},
        },
    }
]

# --- Database: PostgreSQL in production, SQLite (WAL, IMMEDIATE) as the embedded default
# PostgreSQL, also behind PgBouncer, or SQLite
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        env.text("EVPORTAL_DATABASE_URL", f"sqlite:///{VAR_DIR / 'evportal.sqlite3'}"), conn_max_age=60
    )
}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["ENGINE"] = "evportal.postgresql"  # Django's own, which notices a pooler in between
    DATABASES["default"]["OPTIONS"] = {
        # A connection that has asked the same a few times has it prepared: joins are planned once, not for each page.
        "server_side_binding": True,
        "prepare_threshold": 5,
        **DATABASES["default"].get("OPTIONS", {}),
    }
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE: a writer waits for the lock at BEGIN; DEFERRED would fail at its first write instead.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # secure_delete: the wrapped key of an erased customer does not stay in a free page.
        # synchronous=FULL: what was accepted survives a power cut too, not only a kill.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
    }

# --- Accounts: people log in at a Cognito user pool (docs/cognito.md) and show a second factor
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.login.oidc.CognitoBackend", "accounts.login.roles.RoleBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "history"
LOGOUT_REDIRECT_URL = "login"
OIDC_ISSUER = env.text("EVPORTAL_OIDC_ISSUER", "")  # the pool: https://cognito-idp.REGION.amazonaws.com/POOL
OIDC_DOMAIN = env.text("EVPORTAL_OIDC_DOMAIN", "").rstrip("/")  # where browsers log in and out
OIDC_RP_CLIENT_ID = env.text("EVPORTAL_OIDC_CLIENT_ID", "")  # the app client with which people log in
OIDC_RP_CLIENT_SECRET = env.text("EVPORTAL_OIDC_CLIENT_SECRET", "")  # its secret
OIDC_RP_SCOPES = "openid email profile"
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_USE_NONCE = OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_MAX_STATES = 10
OIDC_AUTHENTICATION_CALLBACK_URL = "login_callback"
OIDC_STORE_ACCESS_TOKEN = OIDC_STORE_ID_TOKEN = False
# Programs authenticate themselves here; they have no sessions.
ACCESS_OWN_PREFIXES = ("/api/", "/ocpi/")
OTP_TOTP_ISSUER = env.text("EVPORTAL_TOTP_ISSUER", "EVPortal")  # how the authenticator's list calls us
OTP_TOTP_THROTTLE_FACTOR = 1  # seconds to wait after a wrong code; doubled with each further one
# Whose browsers need not show the second factor for 30 days: all | drivers | off
REMEMBER_DEVICE = env.choice("EVPORTAL_REMEMBER_DEVICE", "drivers", ("all", "drivers", "off"))
# How many proxies in front of us append to X-Forwarded-For; what stands further left is not believed.
TRUSTED_PROXIES = env.integer("EVPORTAL_TRUSTED_PROXIES", 1 if env.boolean("EVPORTAL_HTTPS", False) else 0)

# --- E-mail
# The mail server; without one, e-mails are files in var/mail
EMAIL_HOST = env.text("EVPORTAL_EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_PORT = env.integer("EVPORTAL_EMAIL_PORT", 587)  # its port
EMAIL_HOST_USER = env.text("EVPORTAL_EMAIL_USER", "")  # how we log in there; "" = not at all
EMAIL_HOST_PASSWORD = env.text("EVPORTAL_EMAIL_PASSWORD", "")  # with which password
EMAIL_USE_TLS = env.boolean("EVPORTAL_EMAIL_TLS", True)  # STARTTLS
EMAIL_TIMEOUT = 10
# The sender of what we send
DEFAULT_FROM_EMAIL = env.text("EVPORTAL_EMAIL_FROM", "EVPortal <portal@localhost>")

# --- Privacy
ACCESS_LOG_KEEP_DAYS = env.integer("EVPORTAL_ACCESS_LOG_KEEP_DAYS", 730)  # how long it says who looked at whose data

# --- Security headers and cookies
# Whether people reach it by HTTPS: secure cookies, HSTS, redirects; the proxy in front sets X-Forwarded-Proto
HTTPS = env.boolean("EVPORTAL_HTTPS", False)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
if HTTPS:  # __Host-: no other host of the domain can set or overwrite them (RFC 6265bis)
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        # logging out posts a form to us, and we lead on to the identity provider
        "form-action": [SELF, *([OIDC_DOMAIN] if OIDC_DOMAIN else [])],
        "frame-ancestors": [NONE],
    }
}

# --- Languages, time, static files
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "evportal.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# --- REST
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "api.problems.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "evportal.openapi.schema.ApiSchema",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "EVPortal",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {},
    "COMPONENT_SPLIT_REQUEST": False,
    "PREPROCESSING_HOOKS": ["evportal.openapi.schema.api_only"],
    "POSTPROCESSING_HOOKS": ["evportal.openapi.schema.finish"],
    "APPEND_COMPONENTS": {},
    "AUTHENTICATION_WHITELIST": None,
}
# Who issues the access tokens of programs (Cognito's client credentials); without one only personal tokens are taken
API_TOKEN_ISSUER = env.text("EVPORTAL_API_TOKEN_ISSUER", OIDC_ISSUER)
# Where that issuer's keys are
API_TOKEN_JWKS_URL = env.text("EVPORTAL_API_TOKEN_JWKS_URL", f"{API_TOKEN_ISSUER}/.well-known/jwks.json")
API_RATE_PER_MINUTE = env.integer("EVPORTAL_API_RATE_PER_MINUTE", 600)  # API requests of one person or program
API_COSTLY_PER_MINUTE = env.integer("EVPORTAL_API_COSTLY_PER_MINUTE", 30)  # the same, of those that ask the nodes
# Whether webhooks may go to http://localhost, for development
WEBHOOK_ALLOW_LOCAL = env.boolean("EVPORTAL_WEBHOOK_ALLOW_LOCAL", False)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- Redis and Celery: the broker only hurries things, the database is the truth
# Broker and cache
REDIS_URL = env.text("EVPORTAL_REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "common.redis_guard.GuardedCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "evportal",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A worker takes turns between its queues: confirmations do not wait behind a flood of announcements. Only `webhooks`
# has a worker of its own, as receivers may be slow; one that is told of no queues takes them all.
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in ("celery", "confirm", "webhooks", "paper")
]
CELERY_TASK_ROUTES = {
    "ledger.tasks.confirm": {"queue": "confirm"},
    "ledger.tasks.webhook_deliver": {"queue": "webhooks"},
    "ledger.tasks.statement_*": {"queue": "paper"},
    "ledger.tasks.audit_*": {"queue": "paper"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a Redis that is away for an hour must not end the worker
# Publishing must not hold up a page when Redis is gone: the sweep will find what was not announced.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    # What a worker has taken is not kept in Redis until it is done: kombu ends the worker when it acknowledges over a
    # connection that was lost meanwhile. The message of a killed worker is gone; the sweep does its work in 5 s.
    "ack_emulation": False,
}
CELERY_TIMEZONE = "UTC"
# Where beat keeps when it did what last
CELERY_BEAT_SCHEDULE_FILENAME = env.text("EVPORTAL_BEAT_SCHEDULE", str(VAR_DIR / "celerybeat-schedule"))
CELERY_BEAT_SCHEDULE = {
    "ledger-sweep": {"task": "ledger.tasks.sweep", "schedule": schedule(run_every=5)},
    "ledger-watch-permissions": {"task": "ledger.tasks.watch_permissions", "schedule": schedule(run_every=60)},
    # one that waited for long is not done twice
    "ledger-audit": {
        "task": "ledger.tasks.audit_watch",
        "schedule": schedule(run_every=5),
        "options": {"expires": 5},
    },
    "ledger-watch-load": {"task": "ledger.tasks.watch_load", "schedule": schedule(run_every=60)},
    "ledger-watch-tpm": {"task": "ledger.tasks.watch_tpm", "schedule": schedule(run_every=30)},
    "accounts-sweep": {"task": "accounts.tasks.sweep", "schedule": schedule(run_every=15)},
    "accounts-prune": {"task": "accounts.tasks.prune", "schedule": schedule(run_every=3600)},
    "statement-mails": {"task": "ledger.tasks.statement_mails", "schedule": schedule(run_every=60)},
    "statement-mails-open": {"task": "ledger.tasks.statement_mails_open", "schedule": schedule(run_every=3600)},
    "statement-deliveries": {"task": "ledger.tasks.statement_deliveries", "schedule": schedule(run_every=60)},
    "statement-deliveries-open": {
        "task": "ledger.tasks.statement_deliveries_open",
        "schedule": schedule(run_every=3600),
    },
    "webhooks-sweep": {"task": "ledger.tasks.webhooks_sweep", "schedule": schedule(run_every=5)},
    "api-prune": {"task": "ledger.tasks.api_prune", "schedule": schedule(run_every=3600)},
    "stations-imports": {"task": "stations.tasks.import_sweep", "schedule": schedule(run_every=10)},
    "stations-silent-sessions": {
        "task": "stations.tasks.sessions_end_silent",
        "schedule": schedule(run_every=600),
    },
    "stations-certificates": {"task": "stations.tasks.certificates_sweep", "schedule": schedule(run_every=10)},
    "stations-renewals": {"task": "stations.tasks.certificates_renew", "schedule": schedule(run_every=3600)},
    "stations-commands": {"task": "stations.tasks.commands_sweep", "schedule": schedule(run_every=10)},
    "stations-lists": {"task": "stations.tasks.local_lists_renew", "schedule": schedule(run_every=300)},
    "stations-load": {"task": "stations.tasks.load_sweep", "schedule": schedule(run_every=10)},
    "stations-messages": {"task": "stations.tasks.messages_prune", "schedule": schedule(run_every=3600)},
    "tpm-attest": {"task": "tpm.tasks.attest_services", "schedule": schedule(run_every=30)},
    "tpm-prune": {"task": "tpm.tasks.prune_reports", "schedule": schedule(run_every=3600)},
}

# --- Ledger
# The nodes of the chain that the portal asks
LEDGER_NODES = env.listing("EVPORTAL_LEDGER_NODES", "http://127.0.0.1:8888")
# At least two nodes as readers' browsers reach them (HTTPS, CORS: docs/ledger.md); "" = the nodes above
LEDGER_PUBLIC_NODES = env.listing("EVPORTAL_LEDGER_PUBLIC_NODES")
LEDGER_CHAIN_ID = env.text("EVPORTAL_LEDGER_CHAIN_ID", "")  # the pinned chain id; without it nothing is signed
LEDGER_ACCOUNT = env.text("EVPORTAL_LEDGER_ACCOUNT", "evledger")  # the account with the contract
# Published beside chain id and key: SHA-256 of the contract's code; "" = that of the shipped one
LEDGER_CODE_HASH = (
    env.text("EVPORTAL_LEDGER_CODE_HASH", "")
    or sha256((BASE_DIR / "ledger" / "contract" / "evledger.wasm").read_bytes()).hexdigest()
)
# When the contract was last changed, as get_account says it (YYYY-MM-DDTHH:MM:SS.mmm); "" = not pinned
LEDGER_CODE_UPDATED = env.text("EVPORTAL_LEDGER_CODE_UPDATED", "")
LEDGER_KEY = env.text("EVPORTAL_LEDGER_KEY", "ledger")  # name of the first signing key in the TPM service
# Pinned for the permission watch, who holds `owner`: a public key, or where the contract was given away
# ACCOUNT@PERMISSION (several together joined by +), such as eosio.null@active
LEDGER_OWNER_KEY = env.text("EVPORTAL_LEDGER_OWNER_KEY", "")
LEDGER_ACTIVE_KEY = env.text("EVPORTAL_LEDGER_ACTIVE_KEY", "")  # the same of `active`
LEDGER_PRUNE_KEY = env.text("EVPORTAL_LEDGER_PRUNE_KEY", "")  # the same of `prune`
# What the portal keeps of the sealed master key; back it up apart from the database
LEDGER_MASTER_KEY_FILE = Path(
    env.text("EVPORTAL_LEDGER_MASTER_KEY_FILE", str(VAR_DIR / "secrets" / "ledger_master_keys"))
)
# The offline recovery key's public half (PEM); without it no master key is made
LEDGER_RECOVERY_PUBLIC_KEY = env.text("EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY", "")
# Under which policy the TPM seals master keys: release | none
LEDGER_MASTER_KEY_POLICY = env.choice("EVPORTAL_LEDGER_MASTER_KEY_POLICY", "release", ("release", "none"))
LEDGER_BATCH_MAX = env.integer("EVPORTAL_LEDGER_BATCH_MAX", 200)  # most records of a transaction
LEDGER_FLUSH_AT = env.integer("EVPORTAL_LEDGER_FLUSH_AT", 100)  # so many new entries do not wait for the second to end
LEDGER_FLUSH_AFTER_S = 1
LEDGER_EXPIRATION_S = env.integer("EVPORTAL_LEDGER_EXPIRATION_S", 120)  # how long a signed transaction may get in
LEDGER_CLAIM_S = env.integer("EVPORTAL_LEDGER_CLAIM_S", 30)  # then another worker takes what a killed one had
# In how many seconds the audit that runs by itself has compared everything once; 0: none runs
LEDGER_AUDIT_PASS_S = env.integer("EVPORTAL_LEDGER_AUDIT_PASS_S", 86_400)
# With fewer microseconds left after a refusal the account lacks CPU, else the node was busy
LEDGER_CPU_RESERVE_US = env.integer("EVPORTAL_LEDGER_CPU_RESERVE_US", 10_000)

# --- Who runs this, as pages, statements and receipts say it; what is empty is left out
OPERATOR_NAME = env.text("EVPORTAL_OPERATOR_NAME", "")  # the company's name
OPERATOR_ADDRESS = env.text("EVPORTAL_OPERATOR_ADDRESS", "")  # its postal address, the lines apart by |
OPERATOR_CONTACT = env.text("EVPORTAL_OPERATOR_CONTACT", "")  # e-mail address or telephone for customers
OPERATOR_VAT_ID = env.text("EVPORTAL_OPERATOR_VAT_ID", "")  # VAT identification number
# Our address as people reach it (https://NAME): where the QR codes of statements lead
PUBLIC_URL = env.text("EVPORTAL_PUBLIC_URL", "").rstrip("/")

# --- OCPI: who we are there; without party id and country it is off
OCPI_PARTY_ID = env.text("EVPORTAL_OCPI_PARTY_ID", "")  # our three-character operator id
OCPI_COUNTRY_CODE = env.text("EVPORTAL_OCPI_COUNTRY_CODE", "")  # our country, ISO 3166-1 alpha-2
# Our name, as partners read it
OCPI_OPERATOR_NAME = env.text("EVPORTAL_OCPI_OPERATOR_NAME", "EVPortal")
# Where partners' interfaces may be: public | any (http and private addresses too, for development)
OCPI_PARTNER_URLS = env.choice("EVPORTAL_OCPI_PARTNER_URLS", "public", ("public", "any"))
# In seconds: CDRs are listed once they are this old. By then every transaction that made an older one has ended.
OCPI_CDR_SETTLE_S = env.integer("EVPORTAL_OCPI_CDR_SETTLE_S", 10)

# --- The way to the TPM service
TPM_SERVICE_URL = env.text("EVPORTAL_TPM_SERVICE_URL", "http://127.0.0.1:8100")  # the TPM service
TPM_TOKEN_URL = env.text("EVPORTAL_TPM_TOKEN_URL", "")  # where the portal gets its access tokens for it
TPM_CLIENT_ID = env.text("EVPORTAL_TPM_CLIENT_ID", "")  # as which app client
TPM_CLIENT_SECRET = env.text("EVPORTAL_TPM_CLIENT_SECRET", "")  # its secret
# Which scopes it asks for
TPM_SCOPES = env.listing("EVPORTAL_TPM_SCOPES", "tpm/keys,tpm/sign,tpm/seal,tpm/attest")
# The ledger signs only through a TPM service whose evidence was accepted: required | off (for development)
TPM_ATTESTATION = env.choice("EVPORTAL_TPM_ATTESTATION", "required", ("required", "off"))
# How old accepted evidence may be; it is renewed every 5 minutes
TPM_EVIDENCE_MAX_AGE_S = env.integer("EVPORTAL_TPM_EVIDENCE_MAX_AGE_S", 660)

# --- Logging: to standard output, where the process manager picks it up
LOG_LEVEL = env.text("EVPORTAL_LOG_LEVEL", "INFO")  # DEBUG, INFO, WARNING, ERROR
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "websockets": {"level": "WARNING"},
        "weasyprint.progress": {"level": "INFO", "propagate": False},  # for common/pdf.py alone
    },
}

from evportal.settings_ocpp import *  # noqa: E402, F403 - a file of its own, because this one is long enough
