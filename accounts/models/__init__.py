"""The app's models, for everybody outside this folder; here they import each other directly."""

from accounts.models.people import (
    Authenticator,
    RecoveryCode,
    RecoverySheet,
    RememberedDevice,
    Role,
    SignIn,
    User,
    secret_digest,
    time_zone_validate,
)
from accounts.models.privacy import AccessLogEntry, Archive, ArchivePart, Erasure
from accounts.models.programs import ApiClient, ApiToken, IdempotentAnswer, Program

__all__ = [
    "AccessLogEntry",
    "ApiClient",
    "ApiToken",
    "Archive",
    "ArchivePart",
    "Authenticator",
    "Erasure",
    "IdempotentAnswer",
    "Program",
    "RecoveryCode",
    "RecoverySheet",
    "RememberedDevice",
    "Role",
    "SignIn",
    "User",
    "secret_digest",
    "time_zone_validate",
]
