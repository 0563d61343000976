"""`manage.py ledger_rotate_key`: replace the key that signs records, while records go on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.chain.node import chain
from ledger.errors import ChainError, LedgerError
from ledger.models import KeyRotation
from ledger.operations import rotation
from ledger.receipts.published import published_ak
from ledger.signing import keys, permissions
from ledger.signing.signer import signer
from tpm.client import TpmError


class Command(BaseCommand):
    help = (
        "Replace the key that signs records by a new one in the TPM service, while records go on. The old key itself "
        "lets the new one in and the new one puts the old one out: no offline key is needed. Killed or stopped, it "
        "goes on when it is started again. Afterwards publish the new key and the fingerprint that are printed; "
        "receipts of the old key stay valid with the old key, so leave that published too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="the new key's name in the TPM service; default: ledger-2, …")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["dry_run"]:
                self._plan(options["name"])
            elif options["yes"] or self._asked(options["name"]):
                self._rotate(options["name"])
        except (LedgerError, TpmError) as error:
            raise CommandError(f"{error}\nNothing is lost; start this command again to go on.") from error
        except KeyboardInterrupt:
            raise CommandError("stopped. Nothing is lost; start this command again to go on.") from None

    def _asked(self, name: str | None) -> bool:
        self._plan(name)
        if input("Go on? Type yes: ") != "yes":
            raise CommandError("nothing was changed")
        return True

    def _plan(self, name: str | None) -> None:
        found = keys.unfinished_rotation()
        old = found.old.name if found else keys.active().name
        new = found.new.name if found else name or rotation.next_name()
        if found is None:
            rotation.check_name(new)
        else:
            self.stdout.write(f"A rotation is not finished; it goes on at the step {found.step}.")
        self.stdout.write(f"from {old}, {signer(old).to_public()}, to {new}")
        self.stdout.write(f"permission `record` of {chain().account} now: {_record_keys()}")
        for step, words in (
            (KeyRotation.Step.MAKE, f"make the key {new} in the TPM service, try it out, have it certified"),
            (KeyRotation.Step.ADD, f"let the permission take {new} too, signed by {old}; wait until irreversible"),
            (KeyRotation.Step.SWITCH, f"sign records with {new}"),
            (KeyRotation.Step.SETTLE, f"wait for what {old} signed"),
            (KeyRotation.Step.REMOVE, f"let the permission take {new} alone, signed by {new}; wait until irreversible"),
        ):
            self.stdout.write(f"{step.value:7} {words}")

    def _rotate(self, name: str | None) -> None:
        row = rotation.prepare(name)
        drive = rotation.Rotation(row, self._say)
        drive.run()
        new = drive.row.new
        self.stdout.write("\nPublish beside the keys that were published before:")
        self.stdout.write(f"  key             {new.public_key}")
        self.stdout.write(f"  AK fingerprint  {published_ak(new.public_key) or '(not certified)'}")
        self.stdout.write(
            f"Set EVPORTAL_LEDGER_KEY={new.name}: it counts where the database is restored from the chain."
        )

    def _say(self, text: str) -> None:
        self.stdout.write(f"{timezone.now():%H:%M:%S} {text}")
        self.stdout.flush()


def _record_keys() -> str:
    try:
        found = {p["perm_name"]: p["required_auth"] for p in chain().account_info()["permissions"]}
    except ChainError as error:
        return f"cannot be read: {error}"
    return permissions.keys_of(found["record"]) if "record" in found else "there is none"
