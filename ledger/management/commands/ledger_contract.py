"""`manage.py ledger_contract`: what the contract is on the chain, who could replace it, and giving it away."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ledger.chain.holders import NOBODY
from ledger.chain.node import chain
from ledger.errors import LedgerError
from ledger.operations import giving_away
from ledger.operations.giving_away import Holding
from tpm.client import TpmError

NULL = "@".join(NOBODY)


class Command(BaseCommand):
    help = "The ledger's contract on the chain: what it is, who could replace it, and giving it away for ever."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        status = commands.add_parser("status", help="say what the contract is and who could replace it")
        status.add_argument("--json", action="store_true", help="as JSON")
        give = commands.add_parser(
            "give-away",
            help="hand owner and active of the account to others, by default to nobody: then the contract can not be "
            "replaced any more, not even by us. Nobody can take that back. The signing key is rotated, and old rows "
            "are pruned, as before",
        )
        give.add_argument(
            "--to",
            nargs="+",
            default=[NULL],
            metavar="ACCOUNT@PERMISSION",
            help=f"who holds it from then on; several only all together (default: {NULL}, which is nobody)",
        )
        give.add_argument("--owner-key", type=Path, required=True, metavar="FILE", help="the account's owner key")
        give.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        give.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "status":
                self._status(as_json=options["json"])
            else:
                self._give_away(options)
        except (LedgerError, TpmError) as error:
            raise CommandError(str(error)) from error

    def _status(self, *, as_json: bool) -> None:
        found = Holding.now()
        pins = {"code_hash": settings.LEDGER_CODE_HASH, "changed_at": settings.LEDGER_CODE_UPDATED}
        if as_json:
            self.stdout.write(json.dumps({**vars(found), "published": pins, "as_published": not found.differences}))
            return
        self.stdout.write(f"account        {found.account}")
        self.stdout.write(f"code           {found.code_hash}")
        self.stdout.write(f"ABI            {found.abi_hash}")
        self.stdout.write(f"last change    {found.changed_at}")
        self.stdout.write(f"published      {pins['code_hash']}, changed at {pins['changed_at'] or '(not pinned)'}")
        self.stdout.write("               " + ("as published" if not found.differences else "NOT as published:"))
        for difference in found.differences:
            self.stdout.write(f"               {difference}")
        self.stdout.write(f"replaceable by {_in_words(found)}")

    def _give_away(self, options: dict[str, Any]) -> None:
        levels = [giving_away.level_of(text) for text in options["to"]]
        account, text = chain().account_info(), giving_away.text_of(levels)
        if giving_away.is_given(account, levels):
            self.stdout.write(f"owner and active of {chain().account} are {text} already: nothing to do")
            return
        holding = Holding.now()
        if why := giving_away.obstacles(account, holding):
            raise CommandError("\n".join(["not given away, for it could never be put right afterwards:", *why]))
        self.stdout.write(
            f"owner and active of {holding.account} go to {text}. They are held now: {_in_words(holding)}"
        )
        self.stdout.write("The contract can then be replaced only by those. NOBODY CAN TAKE THIS BACK.")
        self.stdout.write("And if the signing key is lost, only those can let another one record under this account.")
        if options["dry_run"]:
            return
        if not options["yes"] and input(f"Type {holding.account} to go on: ") != holding.account:
            raise CommandError("nothing was changed")
        giving_away.give_away(levels, options["owner_key"], self._say)
        self.stdout.write(f"Done, and irreversible. Replaceable by {_in_words(Holding.now())}")
        self.stdout.write("Set, for the permission watch:")
        for name in ("OWNER", "ACTIVE"):
            self.stdout.write(f"  EVPORTAL_LEDGER_{name}_KEY={text}")
        self.stdout.write("Set, and publish beside chain id and key:")
        self.stdout.write(f"  EVPORTAL_LEDGER_CODE_HASH={holding.code_hash}")
        self.stdout.write(f"  EVPORTAL_LEDGER_CODE_UPDATED={holding.changed_at}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _in_words(holding: Holding) -> str:
    if not holding.links_known:
        return f"{', '.join(holding.replaceable_by)}; the node does not tell whether others could, too"
    return ", ".join(holding.replaceable_by) or "nobody: it was given away"
