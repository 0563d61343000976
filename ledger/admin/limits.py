"""What the pages of the ledger in the admin agree on."""

PUT_BACK = "admin:ledger_ledgerentry_put_back"
PUT_BACK_AT_ONCE_MAX = 50
