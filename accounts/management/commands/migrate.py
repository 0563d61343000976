"""Django's own command; it says that a migration is missing exactly where `makemigrations` would make one."""

from django.core.management.commands import migrate

from accounts.management.wordless_migrations import WordlessAutodetector


class Command(migrate.Command):
    autodetector = WordlessAutodetector
