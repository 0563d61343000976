"""Signed meter values: read strictly as received, verified with the registered key, judged by the rules for billing."""
