"""`manage.py tpm_attest [NAME]`: ask TPM services for fresh evidence, now."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tpm.models import AttestationReport, TpmService
from tpm.register.register import attest
from tpm.register.words import step_lines


class Command(BaseCommand):
    help = (
        "Attest a TPM service, or all of them, and print each step with what was expected and found. "
        "Exit status 1 when a service was refused or does not answer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="the service's name (default: all that are enrolled)")
        parser.add_argument("--json", action="store_true", help="print the reports as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        services = TpmService.objects.filter(ak_public__isnull=False)
        if options["name"]:
            services = services.filter(name=options["name"])
        if not services:
            raise CommandError("no such TPM service is enrolled; see `manage.py tpm_enrol --help`")
        results = [self._attest(service, quiet=options["json"]) for service in services]
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))
        if any(result["outcome"] != AttestationReport.Outcome.ACCEPTED for result in results):
            raise SystemExit(1)

    def _attest(self, service: TpmService, *, quiet: bool) -> dict[str, Any]:
        report = attest(service)
        service.refresh_from_db()
        if not quiet:
            self._print(service, report)
        outcome = report.outcome if report else service.state
        result = {"service": service.name, "outcome": outcome, "reason": service.reason, "hardware": service.hardware}
        return {**result, "measured": service.measured, "steps": report.steps if report else []}

    def _print(self, service: TpmService, report: AttestationReport | None) -> None:
        if report is None:
            self.stdout.write(f"{service.name}: {service.reason or 'it is being attested by somebody else right now'}")
            return
        for line in step_lines(report):
            self.stdout.write(line)
