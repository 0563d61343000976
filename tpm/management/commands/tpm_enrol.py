"""`manage.py tpm_enrol NAME`: the portal learns to know a TPM service, and pins what it will hold it to."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tpm.client import TpmError
from tpm.models import AttestationReport
from tpm.register.enrolment import EnrolmentError, Pins, enrol
from tpm.register.register import RegisterError, certify
from tpm.register.words import step_lines

HELP = """Enrol a TPM service: check its TPM's certificate, pin its attestation key, and attest it for the first time.

Take the roots from the TPM's maker, the release key from whoever approves releases, and the host's PCRs from the
machine as it should be: all that the portal believes later hangs on them. Exit status 1 when a step fails.

  manage.py tpm_enrol main --url https://tpm.example --ek-roots infineon.pem --hardware \\
      --release-key release.pub.pem --measured-pcr 23 --host-pcrs 0=3d45… 2=3d45… 4=9af1… 7=65ca… --key ledger
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what to call the service here")
        parser.add_argument("--url", default=settings.TPM_SERVICE_URL, help="its address (default: %(default)s)")
        roots = "PEM files with the roots, and the CAs between, of the TPM's maker"
        parser.add_argument("--ek-roots", type=Path, nargs="+", required=True, metavar="FILE", help=roots)
        hardware = "the roots are those of a maker of hardware TPMs; without it all evidence is marked as software"
        parser.add_argument("--hardware", action="store_true", help=hardware)
        release = parser.add_mutually_exclusive_group(required=True)
        release.add_argument("--release-key", type=Path, metavar="FILE", help="the release key's public half, PEM")
        unmeasured = "a service that does not measure its files (TPM_MEASURE=off): they can be changed unseen"
        release.add_argument("--unmeasured", action="store_true", help=unmeasured)
        measured = "where its files are measured: 8, or 23 on hardware"
        parser.add_argument("--measured-pcr", type=int, choices=(8, 23), default=8, help=measured)
        host = "values of the host's PCRs that have to stay, in hex"
        parser.add_argument("--host-pcrs", type=_host_pcr, nargs="+", default=[], metavar="N=HEX", help=host)
        parser.add_argument("--key", nargs="+", default=[], metavar="KEY", help="signing keys to have certified now")
        replace = "the TPM, or what is pinned, was replaced on purpose: forget what the service showed before"
        parser.add_argument("--replace", action="store_true", help=replace)

    def handle(self, *args: Any, **options: Any) -> None:
        pins = Pins(
            ek_roots_pem="\n".join(_text(path) for path in options["ek_roots"]),
            release_key_pem=_text(options["release_key"]) if options["release_key"] else "",
            hardware_roots=options["hardware"],
            measured_pcr=options["measured_pcr"],
            host_pcrs=dict(options["host_pcrs"]),
        )
        try:
            report = enrol(name=options["name"], url=options["url"], pins=pins, replace=options["replace"])
            self._print(report)
            for key in options["key"]:
                row = certify(report.service, key)
                self.stdout.write(f"key {key}: certified as {row.public_key_eosio}")
        except EnrolmentError as error:
            if error.report:
                self._print(error.report)
            raise CommandError(str(error)) from error
        except (RegisterError, TpmError) as error:
            raise CommandError(str(error)) from error

    def _print(self, report: AttestationReport) -> None:
        for line in step_lines(report):
            self.stdout.write(line)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from error


def _host_pcr(text: str) -> tuple[int, bytes]:
    number, _, value = text.partition("=")
    try:
        found = int(number), bytes.fromhex(value)
    except ValueError as error:
        raise ArgumentTypeError(f"expected N=HEX, got {text}") from error
    if not 0 <= found[0] < 24 or len(found[1]) != 32:
        raise ArgumentTypeError(f"expected a PCR of 0 to 23 and 32 bytes in hex, got {text}")
    return found
