"""`manage.py log_witness`: who witnesses the transparency log."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.log.witnesses.register import WitnessError, key_of, witness_add, witness_remove
from ledger.models import LogWitness


class Command(BaseCommand):
    help = (
        "The witnesses of the transparency log. Each one is asked to sign every published checkpoint; what it signed "
        "is served at /log/checkpoint and travels in receipts. docs/witness.md says how somebody becomes one. "
        "Everything here repeats safely. Exit status: 0, or 1 with the reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        add = commands.add_parser(
            "add",
            help="ask this witness from now on; with a key that is known, at another address or once more",
        )
        add.add_argument("url", metavar="URL", help="where it answers, without /add-checkpoint; https")
        add.add_argument("vkey", metavar="VKEY", help="the key that it publishes: name+id+base64")
        commands.add_parser("list", help="the witnesses, what each has signed and what it last said")
        remove = commands.add_parser(
            "remove",
            help="ask this witness no more; one that has signed anything stays in the list, switched off",
        )
        remove.add_argument("url", metavar="URL", nargs="?", help="its address; may be left out")
        remove.add_argument("vkey", metavar="VKEY", help="its key, or its name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"add": self._add, "list": self._list, "remove": self._remove}[options["what"]](options)
        except WitnessError as error:
            raise CommandError(str(error)) from error

    def _add(self, options: dict[str, Any]) -> None:
        witness, is_new = witness_add(url=options["url"], vkey=options["vkey"])
        self.stdout.write(f"{witness.name} is asked at {witness.url}{'' if is_new else ' (it was a witness before)'}")

    def _list(self, options: dict[str, Any]) -> None:
        witnesses = list(LogWitness.objects.all())
        for witness in witnesses:
            asked = "" if witness.enabled else ", switched off"
            self.stdout.write(f"{witness.name}: {witness.state.lower()}{asked}, {witness.last_size} leaves")
            self.stdout.write(f"    {witness.url}")
            self.stdout.write(f"    {witness.vkey}")
            if witness.last_answer_at:
                self.stdout.write(f"    last signed {witness.last_answer_at:%Y-%m-%d %H:%M:%S} UTC")
            for seen in witness.ak_certificates:
                self.stdout.write(f"    looked at the TPM with the AK {seen['ak']}")
            if witness.last_error:
                self.stdout.write(f"    {witness.last_error}")
        if not witnesses:
            self.stdout.write("nobody witnesses the log yet")

    def _remove(self, options: dict[str, Any]) -> None:
        given = options["vkey"]
        name = key_of(given).name if "+" in given else given
        witness = LogWitness.objects.filter(name=name).first()
        if witness is None:
            self.stdout.write(f"{name} is no witness; nothing to do")
        elif witness_remove(witness=witness):
            self.stdout.write(f"{name} is no witness any more")
        else:
            self.stdout.write(f"{name} is asked no more; what it signed stays")
