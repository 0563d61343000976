"""The benches that are quick enough run, in small, and what they measured gets where it belongs."""

import json
from pathlib import Path

import pytest

from bench import results, run
from bench.results import Figure
from bench.tpm import layer, load, measure, peers
from bench.tpm.load import Service
from dev.parts.tpm_service import TpmStack
from tests.tpm.service.keys.audit_log import entries
from tpm.client import TpmClient

LEAST = Figure("ratio", "several", "times", 0.5, at_most=False, databases=())
MOST = Figure("latency", "several", "ms", 25, p95_counts=True, databases=())


@pytest.fixture
def service(tpm_stack: TpmStack, tpm_client: TpmClient) -> Service:
    tpm_client.key_create("bench")
    return Service(tpm_stack.port, "bench", tpm_stack.credentials(tpm_stack.portal, ["tpm/sign"])())


def test_figures_of_one_module_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, str | None]] = []

    def measured(module: str, database: str | None) -> dict[str, object]:
        ran.append((module, database))
        samples = {"ratio": [0.6, 0.7, 0.8], "latency": [float(n) for n in range(1, 101)], "unasked": [1.0]}
        return {"samples": samples, "beside": {"raw_per_s": 1000}}

    monkeypatch.setattr(run, "measured", measured)
    entries = run.measure([LEAST, MOST])
    assert ran == [("several", None)]
    assert set(entries) == {"ratio", "latency"}
    assert (entries["ratio"]["value"], entries["ratio"]["p95"], entries["ratio"]["reached"]) == (0.7, 0.6, True)
    assert (entries["latency"]["value"], entries["latency"]["median"], entries["latency"]["reached"]) == (
        95,
        50.5,
        False,
    )
    assert entries["ratio"]["beside"] == {"raw_per_s": 1000}
    assert entries["ratio"]["command"] == "python -m bench.run ratio"


def test_a_figure_with_databases_has_the_first_ones_value(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"postgres": [1.0], "sqlite": [2.0], None: []}
    monkeypatch.setattr(run, "measured", lambda module, database: {"samples": found[database], "beside": {}})
    entry = run.measure([Figure("seconds", "one", "s", 3)])["seconds"]
    assert (entry["value"], entry["sqlite"]["value"]) == (1.0, 2.0)


def test_only_the_figure_that_was_measured_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    for figure, value in ((LEAST, 1), (MOST, 2), (LEAST, 3)):
        results.update(figure, {"value": value}, measured_on={"cores": 2})
    figures = json.loads((tmp_path / "results.json").read_text())["figures"]
    assert figures == {"latency": {"value": 2}, "ratio": {"value": 3}}


def test_the_load_is_what_it_says(service: Service, tpm_stack: TpmStack) -> None:
    before = len(entries(tpm_stack.key_dir / "audit"))
    one = load.sign(service, clients=2, requests=3)
    many = load.sign(service, clients=2, requests=2, batch=5, form="eosio")
    assert (len(one.latencies_s), len(many.latencies_s)) == (6, 4)
    assert one.requests_per_s > 0
    digests = [entry["digests"] for entry in entries(tpm_stack.key_dir / "audit")[before:] if entry["key"] == "bench"]
    assert sorted(map(len, digests)) == [1] * 6 + [5] * 4
    assert len({digest for request in digests for digest in request}) == 26, "each digest is another"


def test_a_refused_load_is_no_result(service: Service) -> None:
    with pytest.raises(EOFError):
        load.sign(Service(service.port, "no-such-key", service.token), clients=1, requests=1)


@pytest.mark.tpm
def test_the_peers_sign(tmp_path: Path) -> None:
    with (
        peers.esapi(tmp_path / "e") as esapi,
        peers.command_line(tmp_path / "c") as command_line,
        peers.feature_api(tmp_path / "f") as feature_api,
    ):
        for peer in (esapi, command_line, feature_api):
            assert peers.rate(peer, 2) > 0


@pytest.mark.tpm
def test_the_layer_and_the_measurement_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = layer.measure(2)
    assert {name: len(found) for name, found in samples.items()} == {"quote_ms": 2, "unseal_ms": 2}
    assert layer.audit_entry_us() > 0
    for name, small in (("FILES", 50), ("BYTES", 100_000)):
        monkeypatch.setattr(measure, name, small)
    assert len(measure.measure(1)) == 1
