"""Settings of the TPM service, all from the environment: NAME, or NAME_FILE that names a file with the value.

TPM_TCTI             how libtss2 reaches the TPM: `swtpm:path=/run/tpm/tpm`, `device:/dev/tpmrm0`
TPM_OWNER_AUTH       auth value of the owner hierarchy (default empty), for keys that the service makes and keeps in NV
TPM_ENDORSEMENT_AUTH that of the endorsement hierarchy (default empty), for activating credentials
TPM_KEY_DIR          directory of the wrapped keys, kept between starts
TPM_JWKS_URL         the pool's keys: `https://cognito-idp.REGION.amazonaws.com/POOL/.well-known/jwks.json`
TPM_TOKEN_ISSUER     `https://cognito-idp.REGION.amazonaws.com/POOL`
TPM_ALLOWED_CLIENTS  ids of the app clients that may call, separated by commas
TPM_JWKS_REFETCH_S   seconds between two fetches of the pool's keys, however many unknown ones are named (default 60)
TPM_JWKS_AGE_S       how old the fetched keys may become, in seconds (default 3600)
TPM_CLIENT_RATE      how many requests a second each client may send in the long run (default 500)
TPM_CLIENT_BURST     how many it may send at once (default 1000)
TPM_QUEUE_PLACES     how many requests of each client may wait for the TPM (default 16)
TPM_QUEUE_DEADLINE_S how long each may wait (default 4: the portal hears it before it gives up, at 5 s)

What the service must be, or it answers `integrity_failed` (tpm/service/integrity/integrity.py):

TPM_MEASURE          `required` (default), or `off`: then keys and objects cannot have the policy "release"
TPM_RELEASE_DIR      directory with manifest.json and release.json of the release that is running
TPM_RELEASE_KEY      file with the release key's public half (PEM, P-256)
TPM_MEASURED_PCR     8 (default), which the TPM's reset clears; or 23 on hardware, which the service itself resets
TPM_HOST_PCRS        further PCRs that approvals name, those of the host: `0,2,4,7` on hardware (default none)
TPM_FULL_PASS_S      seconds between two full comparisons of the files, and of what runs with them (default 300)
"""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from tpm.service.components import COMPONENTS, NAME_SCHEMA


def setting(name: str, default: str | None = None) -> str:
    """Return the value of NAME, or of the file that NAME_FILE names; raises ImproperlyConfigured without both."""
    if name in os.environ:
        return os.environ[name]
    if f"{name}_FILE" in os.environ:
        return Path(os.environ[f"{name}_FILE"]).read_text().strip()
    if default is None:
        raise ImproperlyConfigured(f"the TPM service needs {name} or {name}_FILE in its environment")
    return default


def listed(text: str) -> list[str]:
    """Return the parts between commas, without blanks around them, and without empty ones."""
    return [item.strip() for item in text.split(",") if item.strip()]


def choice(name: str, choices: tuple[str, ...], *, default: str) -> str:
    """Return the setting; raises ImproperlyConfigured unless it is one of these."""
    value = setting(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}: expected {' or '.join(choices)}, got {value!r}")
    return value


def pcrs(name: str, *, not_among: int) -> list[int]:
    """Return a setting that lists PCRs, ordered; raises ImproperlyConfigured for what is none, or the one excluded."""
    numbers = [int(text) if text.isdecimal() else -1 for text in listed(setting(name, ""))]
    if not all(0 <= number <= 23 and number != not_among for number in numbers):
        raise ImproperlyConfigured(f"{name}: expected numbers of PCRs but {not_among}, separated by commas")
    return sorted(set(numbers))


TPM_TCTI = setting("TPM_TCTI")
TPM_OWNER_AUTH = setting("TPM_OWNER_AUTH", "")
TPM_ENDORSEMENT_AUTH = setting("TPM_ENDORSEMENT_AUTH", "")
TPM_KEY_DIR = Path(setting("TPM_KEY_DIR"))
TPM_JWKS_URL = setting("TPM_JWKS_URL")
TPM_TOKEN_ISSUER = setting("TPM_TOKEN_ISSUER")
TPM_ALLOWED_CLIENTS = listed(setting("TPM_ALLOWED_CLIENTS"))
TPM_JWKS_REFETCH_S = float(setting("TPM_JWKS_REFETCH_S", "60"))
TPM_JWKS_AGE_S = float(setting("TPM_JWKS_AGE_S", "3600"))
TPM_CLIENT_RATE = float(setting("TPM_CLIENT_RATE", "500"))
TPM_CLIENT_BURST = int(setting("TPM_CLIENT_BURST", "1000"))
TPM_QUEUE_PLACES = int(setting("TPM_QUEUE_PLACES", "16"))
TPM_QUEUE_DEADLINE_S = float(setting("TPM_QUEUE_DEADLINE_S", "4"))
TPM_MEASURE = choice("TPM_MEASURE", ("required", "off"), default="required")
TPM_RELEASE_DIR = Path(setting("TPM_RELEASE_DIR", "" if TPM_MEASURE == "off" else None))
TPM_RELEASE_KEY = Path(setting("TPM_RELEASE_KEY", "" if TPM_MEASURE == "off" else None))
TPM_MEASURED_PCR = int(choice("TPM_MEASURED_PCR", ("8", "23"), default="8"))
TPM_HOST_PCRS = pcrs("TPM_HOST_PCRS", not_among=TPM_MEASURED_PCR)
TPM_FULL_PASS_S = float(setting("TPM_FULL_PASS_S", "300"))
TPM_MAX_BODY_BYTES = 64 * 1024  # a batch of 256 digests takes 22 kB
TPM_MAX_BATCH = 256

ALLOWED_HOSTS = ["*"]  # no cookie, and no URL is made from the Host header: there is nothing to forge
SECRET_KEY = secrets.token_urlsafe(32)  # Django wants one; nothing here is signed with it
DEBUG = False
ROOT_URLCONF = "tpm.service.urls"
INSTALLED_APPS = ["rest_framework"]
MIDDLEWARE: list[str] = []
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
APPEND_SLASH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tpm.service.door.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tpm.service.views.permission.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["tpm.service.door.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tpm.service.door.parsing.JSONAlways",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "tpm.service.door.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "tpm.service.door.schema.ServiceSchema",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "EVPortal TPM service",
    "DESCRIPTION": "A TPM 2.0 over REST. Binary values are standard base64, refusals RFC 9457 problems.",
    "VERSION": "1",
    "APPEND_COMPONENTS": {"schemas": COMPONENTS},
    "POSTPROCESSING_HOOKS": [],  # the one that moves enums to components would break those with null
    "PATH_CONVERTER_OVERRIDES": {"key": NAME_SCHEMA},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"httpx2": {"level": "WARNING"}, "django.request": {"level": "CRITICAL"}},  # 4xx and 503 are answers
}
