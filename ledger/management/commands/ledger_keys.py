"""`manage.py ledger_keys`: the data keys and the master key that wraps them."""

import getpass
import json
import os
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Erasure, User
from accounts.privacy.erasure import ErasureRefusedError, erasure_ask, erasure_run
from ledger.errors import LedgerError
from ledger.keys import data_keys, master_key
from ledger.operations import custody
from stations.models import ChargingSession
from tpm.client import TpmError


class Command(BaseCommand):
    help = (
        "The ledger's keys. Data keys seal the copies on the chain; the master key wraps them. Its private half is "
        "sealed in the TPM, and wrapped a second time for an offline recovery key. To come back after a disaster take "
        "the master key file, the newest backup of the data keys, and the TPM or the recovery key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        backup = commands.add_parser("backup", help="write all wrapped data keys to FILE (0600)")
        backup.add_argument("file", type=Path)
        erase = commands.add_parser(
            "erase",
            help="erase a customer, as they can themselves: destroy their data keys, for ever, take their name from "
            "everything, and replace the master key; make a new backup afterwards, older ones are of no use any more",
        )
        erase.add_argument("username")
        erase.add_argument("--reason", default="", help="why, for those who look later")
        erase.add_argument(
            "--although-charging", action="store_true", help="cut the tie to a charge that never ended, too"
        )
        erase.add_argument("--yes", action="store_true", help="do not ask")
        keygen = commands.add_parser(
            "recovery-keygen",
            help="make the offline recovery key pair: FILE (private, 0600, to be kept offline) and FILE.pub, which "
            "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE names",
        )
        keygen.add_argument("--out", type=Path, required=True, metavar="FILE")
        _passphrase_options(keygen, "protect FILE with a passphrase")
        seal = commands.add_parser(
            "seal",
            help="bring the master key to where the settings say: make the first one, replace one that is in the clear "
            "in its file, seal and wrap anew after a change of recovery key or policy. Repeats safely",
        )
        seal.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
        commands.add_parser(
            "replace",
            help="make a new master key, wrap all data keys for it and destroy the old one, as after a leak; make a "
            "new backup afterwards. Repeats safely",
        )
        recover = commands.add_parser(
            "recover",
            help="after the loss of the TPM: open the master key with the recovery key and seal it in the present TPM. "
            "Repeats safely",
        )
        recover.add_argument("--recovery-key", type=Path, required=True, metavar="FILE", help="the private PEM")
        recover.add_argument("--dry-run", action="store_true", help="only see whether this recovery key fits")
        _passphrase_options(recover, "FILE has a passphrase")
        commands.add_parser(
            "status", help="say which master keys there are, where each is sealed, and whether it opens"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        steps: dict[str, Callable[[dict[str, Any]], None]] = {
            "backup": self._backup,
            "erase": self._erase,
            "recovery-keygen": self._recovery_keygen,
            "seal": self._seal,
            "replace": self._replace,
            "recover": self._recover,
            "status": self._status,
        }
        try:
            steps[options["what"]](options)
        except LedgerError as error:
            raise CommandError(str(error)) from error
        except TpmError as error:
            raise CommandError(f"the TPM service did not do it: {error}{_advice(error)}") from error

    def _backup(self, options: dict[str, Any]) -> None:
        content, path = data_keys.backup(), options["file"]
        _write_new(path, json.dumps(content).encode(), 0o600)
        self.stdout.write(f"{len(content['keys'])} data keys written to {path}")

    def _erase(self, options: dict[str, Any]) -> None:
        username = options["username"]
        customer = User.objects.filter(username=username).first()
        if customer is None:
            raise CommandError(f"there is no user {username!r}")
        if not options["yes"]:
            answer = input(f"Erase {username} and destroy their data keys for ever? Type the name to go on: ")
            if answer != username:
                raise CommandError("nothing was changed")
        count = ChargingSession.objects.filter(customer=customer).count()
        words = {"reason": options["reason"], "although_charging": options["although_charging"]}
        try:
            erasure = erasure_ask(customer=customer, asked_by="ledger_keys erase", **words)
        except ErasureRefusedError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        if not erasure_run(erasure_id=erasure.pk):
            erasure = Erasure.objects.get(pk=erasure.pk)
            raise CommandError(f"the account is locked; the worker goes on with it: {erasure.waits_for}")
        self.stdout.write(f"{count} sessions of {username} can no longer be read from the chain or tied to a person")
        self.stdout.write(f"The account is called {erasure.pseudonym} now, and nobody can log in with it.")
        if data_keys.master_key_is_due():
            self.stderr.write(
                "The master key could not be replaced yet, so an older backup of the keys still opens them. "
                "The worker replaces it as soon as it can; the alert master_key_due says what is missing."
            )

    def _recovery_keygen(self, options: dict[str, Any]) -> None:
        path: Path = options["out"]
        public_path = path.with_name(path.name + ".pub")
        for taken in (path, public_path):
            if taken.exists():
                raise CommandError(f"{taken} is there already; nothing was changed")
        private, public = master_key.recovery_key_new(_passphrase(options, ask_twice=True))
        _write_new(path, private, 0o600)
        _write_new(public_path, public, 0o644)
        self.stdout.write(public.decode().strip())
        fingerprint = master_key.fingerprint(master_key.recovery_public_load(public.decode()))
        self.stdout.write(
            f"Recovery key {fingerprint}: keep {path} offline, in two places. Set "
            f"EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE={public_path} and run `manage.py ledger_keys seal`."
        )

    def _seal(self, options: dict[str, Any]) -> None:
        dry_run = options["dry_run"]
        done = custody.seal(dry_run=dry_run)
        for what in done:
            self.stdout.write(f"would: {what}" if dry_run else what)
        if not done:
            self.stdout.write("the master key is where the settings say; nothing to do")

    def _replace(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"all data keys are wrapped for the new master key {data_keys.master_key_replace(anew=True)}")

    def _recover(self, options: dict[str, Any]) -> None:
        path, dry_run = options["recovery_key"], options["dry_run"]
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        encrypted = master_key.recovery_private_is_encrypted(pem)
        passphrase = _passphrase({**options, "passphrase": encrypted}) if encrypted else None
        for what in custody.recover(recovery_key=master_key.recovery_private_load(pem, passphrase), dry_run=dry_run):
            self.stdout.write(what)

    def _status(self, options: dict[str, Any]) -> None:
        found = custody.status()
        for line in found.lines:
            self.stdout.write(line)
        if not found.well:
            raise SystemExit(1)


def _passphrase_options(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--passphrase", action="store_true", help=f"{what}, asked for on the terminal")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=f"{what}, the first line of this file")


def _passphrase(options: dict[str, Any], *, ask_twice: bool = False) -> bytes | None:
    if options["passphrase_file"]:
        try:
            given = str(options["passphrase_file"].read_text()).split("\n")[0]
        except OSError as error:
            raise CommandError(f"{options['passphrase_file']}: {error.strerror}") from error
    elif options["passphrase"]:
        given = getpass.getpass("Passphrase of the recovery key: ")
        if ask_twice and getpass.getpass("Once more: ") != given:
            raise CommandError("the two differ; nothing was changed")
    else:
        return None
    if not given:
        raise CommandError("expected a passphrase, got an empty one; nothing was changed")
    return given.encode()


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _advice(error: TpmError) -> str:
    """What to do about a refusal that comes from a setting."""
    if error.code == "policy_unavailable":
        return (
            ". It is not measured, so nothing can be sealed under the policy `release`. Measure it (TPM_MEASURE), or, "
            "for development only, set EVPORTAL_LEDGER_MASTER_KEY_POLICY=none"
        )
    return ""
