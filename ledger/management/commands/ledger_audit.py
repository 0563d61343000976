"""`manage.py ledger_audit`: the database against the chain."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ledger.audit.audit import Finding, Report
from ledger.audit.runs import run_all, run_begin
from ledger.errors import ChainError
from ledger.models import AuditRun

SHOWN = 50


class Command(BaseCommand):
    help = (
        "Compare every session with its record on the chain, in both directions. Exit status: 0 when nothing differs, "
        "1 on any difference, 2 when no node could be asked. Sessions that are still being recorded are no difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
        words = "read all blocks with records, too: an id recorded twice, a row that vanished without a prune"
        parser.add_argument("--history", action="store_true", help=words)
        words = (
            "with --history: read every block, as another contract may have cut the list of those with records; slow"
        )
        parser.add_argument("--every-block", action="store_true", help=words)

    def handle(self, *args: Any, **options: Any) -> None:
        findings: list[Finding] = []
        try:
            run = run_begin(AuditRun.Kind.COMMAND)
            with tqdm(total=run.total, unit=" entries", disable=None, leave=False) as bar:
                how = {"history": options["history"] or options["every_block"], "every_block": options["every_block"]}
                report = run_all(run, progress=bar.update, found=findings.append, **how)
        except ChainError as error:
            raise CommandError(f"the chain could not be read: {error}", returncode=2) from error
        report.findings = findings
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict(), indent=2))
        else:
            self._print(report)
        if not report.clean:
            raise SystemExit(1)

    def _print(self, report: Report) -> None:
        for finding in report.findings[:SHOWN]:
            name = f"entry {finding.ledger_id}" if finding.ledger_id is not None else "no entry"
            session = f", session {finding.session}" if finding.session else ""
            self.stdout.write(f"{finding.kind.upper():12} {name}{session}: {finding.message}")
        if len(report.findings) > SHOWN:
            self.stdout.write(f"… and {len(report.findings) - SHOWN} more; --json shows all")
        self.stdout.write(f"{report.equal} equal, {report.missing} missing, {report.different} different")
        rest = {
            "on the chain but not in the database": report.unknown,
            "closed sessions without an entry": report.not_entered,
            "erased": report.erased,
            "still being recorded": report.pending,
            "of the equal ones without their meter values, as they were restored": report.restored,
        }
        for words, count in rest.items():
            if count:
                self.stdout.write(f"{count} {words}")
