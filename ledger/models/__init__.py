"""The app's models, for everybody outside this folder; here they import each other directly."""

from ledger.models.audits import AuditFinding, AuditRun
from ledger.models.recording import (
    Alert,
    ChainTransaction,
    DataKey,
    KeyRotation,
    LedgerEntry,
    SigningKey,
    StatementMail,
    StatementSubscription,
)
from ledger.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "Alert",
    "AuditFinding",
    "AuditRun",
    "ChainTransaction",
    "DataKey",
    "KeyRotation",
    "LedgerEntry",
    "SigningKey",
    "StatementMail",
    "StatementSubscription",
    "Webhook",
    "WebhookDelivery",
]
