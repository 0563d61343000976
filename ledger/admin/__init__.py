"""The ledger in the admin; Django looks for it here (`autodiscover`)."""

from ledger.admin import audits, records, tables
from ledger.webhooks import admin as webhooks

__all__ = ["audits", "records", "tables", "webhooks"]
