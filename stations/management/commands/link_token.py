"""`manage.py link_token UID USERNAME`: a driver gets a token and the sessions charged with it that are nobody's."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from stations.cards.services import id_token_link, id_token_unlink
from stations.errors import TokenTakenError
from stations.models import IdToken


class Command(BaseCommand):
    help = (
        "Give a token, and its sessions that are nobody's, to a customer; or (--unlink) take the token from them. "
        "Their sessions stay theirs, unless the link was a mistake (--mistaken). Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid")
        parser.add_argument("username")
        parser.add_argument("--type", default=IdToken.Type.CENTRAL.value, choices=IdToken.Type.values)
        parser.add_argument("--unlink", action="store_true")
        parser.add_argument("--mistaken", action="store_true", help="with --unlink: its sessions were never theirs")

    def handle(self, *args: Any, **options: Any) -> None:
        id_token = IdToken.objects.written(options["uid"]).filter(type=options["type"]).first()
        if id_token is None:
            raise CommandError(f"no token {options['uid']} of type {options['type']}")
        customer = User.objects.filter(username=options["username"]).first()
        if customer is None:
            raise CommandError(f"no user {options['username']}")
        if options["unlink"]:
            self.stdout.write(f"{self.unlink(id_token, customer, options['mistaken']):,} sessions belong to nobody now")
            return
        try:
            count = id_token_link(id_token=id_token, customer=customer)
        except TokenTakenError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count:,} more sessions belong to {customer.username} now")

    def unlink(self, id_token: IdToken, customer: User, mistaken: bool) -> int:
        if id_token.customer_id not in {None, customer.pk}:
            raise CommandError(f"token {id_token.uid} belongs to another customer than {customer.username}")
        return id_token_unlink(id_token=id_token, mistaken=mistaken)
