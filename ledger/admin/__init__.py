"""The ledger in the admin; Django looks for it here (`autodiscover`)."""

from ledger.admin import audits, log, records, tables, witnesses
from ledger.webhooks import admin as webhooks

__all__ = ["audits", "log", "records", "tables", "webhooks", "witnesses"]
