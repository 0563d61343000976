"""The figures with their targets, into bench/results.json: `python -m bench.run [FIGURE …]`.

Each figure is measured by a module of this package, which states its method, in a process of its own with all that it
needs in a temporary directory; nothing of a running `make demo` is touched. Figures of one module are measured
together. A figure that is run alone replaces only its own entry. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import results
from bench.results import Figure
from dev.parts.tpm_service import ROOT

FIGURES = {
    figure.name: figure
    for figure in (
        Figure("backlog_100k_s", "ledger.backlog", "s", 60),
        Figure("close_to_irreversible_p95_s", "ledger.close_one", "s", 3, p95_counts=True),
        Figure("import_sessions_per_s", "portal.importing", "sessions/s", 2000, at_most=False),
        Figure("receipt_verify_s", "ledger.receipt", "s", 0.5, databases=("postgres",)),
        Figure("verify_zip_300_s", "ledger.verify_zip", "s", 20, databases=("postgres",)),
        Figure("history_page_p95_ms", "portal.reading", "ms", 60, p95_counts=True, databases=("postgres",)),
        Figure("history_page_growth", "portal.reading", "times", 1.3, databases=("postgres",)),
        Figure("history_page_queries", "portal.reading", "queries", 8, databases=("postgres",)),
        Figure("session_list_api_p95_ms", "portal.reading", "ms", 40, p95_counts=True, databases=("postgres",)),
        Figure("session_list_api_queries", "portal.reading", "queries", 8, databases=("postgres",)),
        Figure("csv_100k_peak_mb", "portal.reading", "MB", 16, databases=("postgres",)),
        Figure("audit_1m_peak_mb", "ledger.audit --count 1000000", "MB", 200, databases=()),
        Figure("audit_rolling_core_percent", "ledger.audit_rolling", "%", 2, databases=()),
        Figure("sign_rest_vs_esapi", "tpm.sign", "times", 0.5, at_most=False, databases=()),
        Figure("sign_rest_vs_cli", "tpm.sign", "times", 5, at_most=False, databases=()),
        Figure("sign_rest_p95_ms", "tpm.sign", "ms", 25, p95_counts=True, databases=()),
        Figure("sign_batch_vs_esapi", "tpm.sign", "times", 0.9, at_most=False, databases=()),
        Figure("gateway_vs_bare", "gateway.answers", "times", 0.6, at_most=False, databases=("postgres",)),
        Figure("gateway_p99_ms", "gateway.answers", "ms", 250, databases=("postgres",)),
        Figure("gateway_station_kib", "gateway.answers", "KiB", 60, databases=("postgres",)),
        Figure("gateway_vs_peers", "gateway.peers", "times", 10, at_most=False, databases=("postgres",)),
        Figure("gateway_two_processes", "gateway.processes", "times", 1.7, at_most=False, databases=("postgres",)),
        Figure("price_12h_ms", "stations.tariffs", "ms", 5, databases=()),
        Figure("ocmf_verify_per_s", "stations.ocmf", "times", 1.2, at_most=False, databases=()),
        Figure("measure_5000_files_s", "tpm.measure", "s", 3, databases=()),
        Figure("quote_ms", "tpm.layer", "ms", 2, databases=()),
        Figure("unseal_ms", "tpm.layer", "ms", 10, databases=()),
    )
}


def measure(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """Run the module of these figures once a database; returns the entries for results.json by name."""
    load = round(os.getloadavg()[0], 2)
    names = " ".join(figure.name for figure in figures)
    summaries: dict[str, dict[str, Any]] = {figure.name: {} for figure in figures}
    databases = figures[0].databases or (None,)
    beside: dict[str, float] = {}
    for database in databases:
        print(f"{names} on {database}" if database else names, file=sys.stderr, flush=True)
        found = measured(figures[0].module, database)
        beside = found["beside"] or beside
        for figure in figures:
            summary = figure.summary(figure.samples(found))
            summaries[figure.name] |= summary if database == databases[0] else {str(database): summary}
    return {
        figure.name: figure.entry(
            summaries[figure.name], beside=beside, command=f"python -m bench.run {figure.name}", load_before=load
        )
        for figure in figures
    }


def measured(module: str, database: str | None) -> dict[str, Any]:
    """Run a module; returns what `stage.write` wrote."""
    with tempfile.TemporaryDirectory(prefix="evp-bench-") as directory:
        out = Path(directory) / "samples.json"
        command = [sys.executable, "-m", *f"bench.{module}".split(), "--out", str(out)]
        subprocess.run([*command, *(["--database", database] if database else [])], cwd=ROOT, check=True)
        found: dict[str, Any] = json.loads(out.read_text())
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description="Measure the figures of bench/results.json."
    )
    _, names = results.chosen_figures(parser, FIGURES, arguments)
    measured_on = results.machine()
    for module in dict.fromkeys(FIGURES[name].module for name in names):
        try:
            entries = measure([FIGURES[name] for name in names if FIGURES[name].module == module])
        except subprocess.CalledProcessError as error:
            print(f"{module}: {' '.join(error.cmd)} ended with status {error.returncode}", file=sys.stderr)
            return 1
        for name, entry in entries.items():
            results.update(FIGURES[name], entry, measured_on=measured_on)
            print(results.line(name, entry), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
