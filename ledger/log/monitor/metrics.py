"""The look as metrics that Prometheus reads; the one door to prometheus_client."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest, start_http_server, write_to_textfile

from ledger.log.monitor.findings import CONTRADICTIONS, MEANINGS
from ledger.log.monitor.look import Look
from ledger.log.monitor.state import State


class Metrics:
    """Gauges in a registry of their own: nothing of the process itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._looked = self._gauge("monitor_look_timestamp_seconds", "When the monitor looked last")
        self._severity = self._gauge("monitor_severity", "0 well, 1 something is away or late, 3 a contradiction")
        self._findings = self._gauge("monitor_findings", "Findings that stand, by what they are", "code", "severity")
        self._up = self._gauge("log_up", "Whether the log shows a checkpoint with its signature")
        self._shown = self._gauge("log_shown_size", "Entries of the checkpoint that the log shows")
        self._size = self._gauge("log_verified_size", "Entries that were read and go on from each other")
        self._upto = self._gauge("log_upto_block", "The block up to which the log says that it has all records")
        self._unlogged = self._gauge("log_unlogged_records", "Records of the chain without a leaf")
        self._node = self._gauge("chain_log_size", "Entries of the last checkpoint that a node tells of", "node")
        self._signed = self._gauge("witness_signed_size", "Entries that a pinned witness has signed last", "witness")
        self._at = self._gauge("witness_signed_timestamp_seconds", "When it signed them, by its clock", "witness")

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"evportal_{name}", words, labels, registry=self.registry)

    def show(self, state: State, found: Look, witnesses: list[str]) -> None:
        """Set all of them by this look."""
        self._looked.set(found.at)
        self._severity.set(found.severity)
        self._up.set(found.log_answers)
        if found.log_answers:
            self._shown.set(found.shown_size)
        self._size.set(state.frontier.size)
        self._upto.set(state.upto)
        self._unlogged.set(len(state.unlogged))
        for code in MEANINGS:
            severity = "contradiction" if code in CONTRADICTIONS else "away"
            self._findings.labels(code, severity).set(sum(finding.code == code for finding in found.told))
        self._node.clear()
        for node, size in found.nodes.items():
            self._node.labels(node).set(size)
        for name in witnesses:
            size, at = state.witnesses.get(name, [0, 0])
            self._signed.labels(name).set(size)
            self._at.labels(name).set(at)

    def text(self) -> str:
        """In Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def write(self, path: Path) -> None:
        """As a file for node_exporter's textfile collector; whole or not at all."""
        write_to_textfile(str(path), self.registry)

    def listen(self, host: str, port: int) -> int:
        """Serve them from a thread until the process ends; returns the port."""
        server, _thread = start_http_server(port, addr=host, registry=self.registry)
        return int(server.server_address[1])
