"""The transparency log: all that is irreversible, in one order that never changes (docs/ledger.md)."""
