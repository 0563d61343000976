"""Django's own command, of which labels make no migration."""

from django.core.management.commands import makemigrations

from accounts.management.wordless_migrations import WordlessAutodetector


class Command(makemigrations.Command):
    autodetector = WordlessAutodetector
