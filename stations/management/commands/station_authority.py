"""`manage.py station_authority`: the certificate authority for stations whose key lives in the TPM."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from stations.certificates import authority
from stations.certificates.errors import CertificatesError
from stations.certificates.server import server_certificate_make
from stations.models import StationAuthority


class Command(BaseCommand):
    help = (
        "The certificate authority for stations of security profile 3. Its key is made in the TPM service and never "
        "leaves it; everything here needs the TPM service but `show` and `export-root`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        commands.add_parser("create", help="make the first authority: a key in the TPM and its root certificate")
        show = commands.add_parser("show", help="say which authorities there are and what they issued")
        show.add_argument("--json", action="store_true", help="as JSON, with the TPM's attestation of each key")
        renew = commands.add_parser(
            "renew",
            help="make the next authority. Install its root on the stations (admin), then let it sign with --switch",
        )
        renew.add_argument("--switch", action="store_true", help="from now on the next authority signs")
        renew.add_argument(
            "--end", metavar="NAME", help="believe nothing any more of what this former authority signed"
        )
        export = commands.add_parser("export-root", help="the roots that are believed, PEM, the one that signs first")
        export.add_argument("--out", type=Path, metavar="FILE", help="a file instead of standard output")
        crl = commands.add_parser(
            "crl", help="make the revocation lists anew now, and write that of the one that signs"
        )
        crl.add_argument("--out", type=Path, metavar="FILE", help="where to write it (DER)")
        server = commands.add_parser(
            "server-certificate", help="issue the gateway's own certificate, with a new key in a file beside it"
        )
        server.add_argument(
            "--name", action="append", required=True, metavar="HOST", help="host name or IP address; may be given again"
        )
        server.add_argument(
            "--out", type=Path, default=Path("var/ocpp"), metavar="DIRECTORY", help="default: %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        steps = {
            "create": self._create,
            "show": self._show,
            "renew": self._renew,
            "export-root": self._export_root,
            "crl": self._crl,
            "server-certificate": self._server,
        }
        try:
            steps[options["what"]](options)
        except (CertificatesError, OSError) as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        if StationAuthority.objects.exists():
            raise CommandError("there is an authority already: `show` names it, `renew` makes the next one")
        self._tell(authority.authority_create())

    def _renew(self, options: dict[str, Any]) -> None:
        if name := options["end"]:
            row = StationAuthority.objects.filter(name=name).first()
            if row is None:
                raise CommandError(f"there is no authority {name}: `show` names them")
            authority.authority_end(authority=row)
            self.stdout.write(f"{name} is ended: nothing that it signed is believed any more")
        elif options["switch"]:
            self._tell(authority.authority_switch())
        else:
            self._tell(authority.authority_create())
            self.stdout.write("install its root on the stations, then run `renew --switch`")

    def _show(self, options: dict[str, Any]) -> None:
        rows = list(StationAuthority.objects.all())
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(row) for row in rows], indent=2))
            return
        if not rows:
            self.stdout.write("there is none: run `manage.py station_authority create`")
        for row in rows:
            self._tell(row)

    def _tell(self, row: StationAuthority) -> None:
        now = timezone.now()
        issued, living = row.certificates.count(), row.certificates.living(now).count()
        attested = "made in the attested TPM, cannot leave it" if row.attestation else "NOT attested"
        self.stdout.write(f"{row.name}: {row.get_status_display()}")
        self.stdout.write(f"  good from    {row.valid_from:%Y-%m-%d} to {row.valid_to:%Y-%m-%d}")
        self.stdout.write(f"  key          {row.key_name}, {attested}")
        self.stdout.write(f"  fingerprint  {row.fingerprint}")
        self.stdout.write(f"  issued       {issued} certificates, {living} of them good now")
        self.stdout.write(
            f"  revoked      list {row.crl_number}: {authority.crl_url(row) or 'EVPORTAL_PUBLIC_URL is not set'}"
        )

    def _export_root(self, options: dict[str, Any]) -> None:
        trusted = authority.trusted()
        if not trusted:
            raise CommandError("there is no authority: run `manage.py station_authority create`")
        text = authority.roots_pem(trusted)
        if options["out"]:
            options["out"].write_text(text)
        else:
            self.stdout.write(text, ending="")

    def _crl(self, options: dict[str, Any]) -> None:
        for row in authority.trusted():
            authority.crl_make(row)
            row.refresh_from_db()
            self.stdout.write(
                f"{row.name}: list {row.crl_number}, {len(authority.revoked_of(row, timezone.now()))} revoked"
            )
        if options["out"]:
            options["out"].write_bytes(bytes(authority.authority_signing().crl_der or b""))

    def _server(self, options: dict[str, Any]) -> None:
        made = server_certificate_make(hosts=options["name"], directory=options["out"])
        self.stdout.write(f"EVPORTAL_OCPP_TLS_CERT={made.certificate.resolve()}")
        self.stdout.write(f"EVPORTAL_OCPP_TLS_KEY={made.key.resolve()}")
        self.stdout.write(f"good to {made.row.expires_at:%Y-%m-%d}; stations need the root: see `export-root`")


def _as_json(row: StationAuthority) -> dict[str, Any]:
    return {
        "name": row.name,
        "status": row.status,
        "key": row.key_name,
        "valid_from": row.valid_from.isoformat(),
        "valid_to": row.valid_to.isoformat(),
        "fingerprint": row.fingerprint,
        "certificate_pem": row.certificate_pem,
        "attestation": row.attestation,
        "crl_number": row.crl_number,
        "crl_url": authority.crl_url(row),
    }
