"""`manage.py login_link NAME SUB`: an account from before there was an identity provider gets its login."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from accounts.models import User


class Command(BaseCommand):
    help = "Give an account without login to a person of the identity provider."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account's user name here")
        parser.add_argument("sub", help="the person's `sub` at the identity provider")

    def handle(self, *args: Any, name: str, sub: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"there is no account {name}")
        if user.sub and user.sub != sub:
            raise CommandError(f"{name} has a login already: {user.sub}")
        user.sub = sub
        user.set_unusable_password()
        try:
            with transaction.atomic():
                user.save(update_fields=["sub", "password"])
        except IntegrityError:
            other = User.objects.get(sub=sub)
            raise CommandError(f"this login has the account {other.username}") from None
        self.stdout.write(f"{name} is the account of {sub} now.")
