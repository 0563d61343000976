"""Formats of our own instead of Django's, by language."""
