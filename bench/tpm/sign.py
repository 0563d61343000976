"""sign_rest_vs_esapi, sign_rest_vs_cli, sign_rest_p95_ms, sign_batch_vs_esapi: signatures over REST and otherwise.

Method: the TPM service as it is deployed (a measured release, gunicorn, tokens of the identity provider, key with the
policy "release", log of key uses), the peers (peers.py) beside it, each on a swtpm. In each round the peers and
the service sign one after the other, so that whatever else the machine does meets them all: raw ESAPI, the service with
4 clients (load.py) and one digest a request, the service with 4 clients and 64 digests a request, raw ESAPI again,
tpm2_sign, FAPI. A sample of a ratio is one round's, with the mean of its two ESAPI rates. The 95th percentile is over
the requests of all rounds with one digest. Format der; eosio is beside.
"""

import statistics
from argparse import Namespace
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench.results import rounded
from bench.stage import options, perform
from bench.tpm import load
from bench.tpm.load import Service
from bench.tpm.peers import Sign, command_line, esapi, feature_api, rate
from dev.common.progress import bar
from dev.parts.tpm_service import TpmStack

CLIENTS = 4
BATCH = 64
SETTINGS = {"TPM_CLIENT_RATE": "1000000", "TPM_CLIENT_BURST": "1000000"}  # the rate is not what is measured
ESAPI_SIGNS, REST_REQUESTS, BATCH_REQUESTS, CLI_SIGNS, FAPI_SIGNS = 400, 200, 6, 15, 15  # a round; REST's each client

Rates = dict[str, list[float]]


def measure(rounds: int, directory: Path) -> tuple[Rates, list[float]]:
    """Return the rates (signatures a second) by peer, one a round, and all latencies with one digest (ms)."""
    with ExitStack() as left:
        stack = TpmStack(directory / "s", SETTINGS)
        left.callback(stack.stop)
        stack.start()
        stack.client().key_create("bench", policy="release")
        service = Service(stack.port, "bench", stack.credentials(stack.portal, ["tpm/sign"])())
        peers = {
            "esapi": left.enter_context(esapi(directory / "e")),
            "tpm2_sign": left.enter_context(command_line(directory / "c")),
            "fapi": left.enter_context(feature_api(directory / "f")),
        }
        load.sign(service, clients=CLIENTS, requests=50)  # threads made, key loaded
        return _rounds(rounds, service, peers)


def _rounds(rounds: int, service: Service, peers: dict[str, Sign]) -> tuple[Rates, list[float]]:
    rates: Rates = defaultdict(list)
    latencies_ms: list[float] = []
    with bar(rounds, "signing", " rounds") as progress:
        for _ in range(rounds):
            before = rate(peers["esapi"], ESAPI_SIGNS)
            one = load.sign(service, clients=CLIENTS, requests=REST_REQUESTS)
            many = load.sign(service, clients=CLIENTS, requests=BATCH_REQUESTS, batch=BATCH)
            rates["esapi"].append((before + rate(peers["esapi"], ESAPI_SIGNS)) / 2)
            rates["rest"].append(one.requests_per_s)
            rates["rest_batch"].append(many.requests_per_s * BATCH)
            eosio = load.sign(service, clients=CLIENTS, requests=REST_REQUESTS, form="eosio")
            rates["rest_eosio"].append(eosio.requests_per_s)
            rates["tpm2_sign"].append(rate(peers["tpm2_sign"], CLI_SIGNS))
            rates["fapi"].append(rate(peers["fapi"], FAPI_SIGNS))
            latencies_ms += [latency * 1000 for latency in one.latencies_s]
            progress.update()
    return rates, latencies_ms


def ratios(rates: Rates, above: str, below: str) -> list[float]:
    return [a / b for a, b in zip(rates[above], rates[below], strict=True)]


def measure_all(chosen: Namespace, directory: Path) -> tuple[dict[str, list[float]], dict[str, float]]:
    rates, latencies_ms = measure(chosen.count, directory)
    samples = {
        "sign_rest_vs_esapi": ratios(rates, "rest", "esapi"),
        "sign_rest_vs_cli": ratios(rates, "rest", "tpm2_sign"),
        "sign_rest_p95_ms": latencies_ms,
        "sign_batch_vs_esapi": ratios(rates, "rest_batch", "esapi"),
    }
    return samples, {f"{name}_per_s": rounded(statistics.median(found)) for name, found in sorted(rates.items())}


if __name__ == "__main__":
    perform(options(__doc__, count=12, what="rounds"), measure_all)
