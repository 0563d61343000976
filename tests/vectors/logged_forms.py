"""Cases of files that are no receipt of the form of `evportal-receipt/3`."""

import json
from collections.abc import Iterator
from typing import Any

from tests.vectors.chain import (
    URLS,
    Json,
)
from tests.vectors.log_world import (
    CLUB,
    LOG_KEY,
)
from tests.vectors.logged_making import (
    LOGGED,
    NONE,
    PINNED,
)
from tests.vectors.making import SILENT, Node, case, failed, undecided


def gone(part: str, member: str) -> Json:
    content = LOGGED.receipt()
    return {**content, part: {name: value for name, value in content[part].items() if name != member}}


def with_log(**members: Any) -> Json:
    return LOGGED.receipt(log={**LOGGED.log(), **members})


def with_chain(**members: Any) -> Json:
    return LOGGED.receipt(chain={**LOGGED.chain(), **members})


def with_witness(**members: Any) -> Json:
    return with_log(witnesses=[{**LOGGED.log()["witnesses"][0], **members}])


def _of_the_whole() -> dict[str, Json]:
    content = LOGGED.receipt()
    return {
        "log-missing": {name: value for name, value in content.items() if name != "log"},
        "chain-missing": {name: value for name, value in content.items() if name != "chain"},
        "log-list": {**content, "log": []},
        "log-empty": {**content, "log": {}},
        "chain-text": {**content, "chain": ""},
        "chain-false": {**content, "chain": False},
        "form-2": {**content, "format": "evportal-receipt/2"},
        "form-4": {**content, "format": "evportal-receipt/4"},
        **{f"log-no-{member.replace('_', '-')}": gone("log", member) for member in content["log"]},
        **{f"chain-no-{member.replace('_', '-')}": gone("chain", member) for member in content["chain"]},
    }


def _of_log() -> dict[str, Json]:
    witness, certificate = LOGGED.log()["witnesses"][0], CLUB.ak_certificate(LOG_KEY.attestation())
    return {
        "log-more": with_log(more=1),
        "log-index-text": with_log(index="3"),
        "log-index-minus": with_log(index=-1),
        "log-index-large": with_log(index=2**53),
        "log-index-true": with_log(index=True),
        "log-proof-text": with_log(proof="none"),
        "log-proof-null": with_log(proof=[None]),
        "log-proof-65": with_log(proof=["00" * 32] * 65),
        "log-proof-long": with_log(proof=["0" * 101]),
        "log-checkpoint-null": with_log(checkpoint=None),
        "log-checkpoint-long": with_log(checkpoint="x" * 65_537),
        "log-key-null": with_log(key=None),
        "log-key-long": with_log(key="x" * 1001),
        "log-attestation": with_log(key_attestation={}),
        "log-attestation-text": with_log(key_attestation=""),
        "log-witnesses-null": with_log(witnesses=None),
        "log-witnesses-17": with_log(witnesses=[witness] * 17),
        "log-witness-text": with_log(witnesses=["x"]),
        "log-witness-more": with_witness(url="https://witness.example"),
        "log-witness-name": with_witness(name=1),
        "log-witness-name-long": with_witness(name="x" * 256),
        "log-witness-key": with_witness(key=None),
        "log-ak-empty": with_witness(ak_certificate={}),
        "log-ak-time": with_witness(ak_certificate={**certificate, "time": str(certificate["time"])}),
        "log-ak-more": with_witness(ak_certificate={**certificate, "witness": CLUB.name}),
        "log-ak-null": with_witness(ak_certificate={**certificate, "root": None}),
    }


def _of_chain() -> dict[str, Json]:
    signed_with = LOGGED.chain()["signed_with"]
    return {
        "chain-more": with_chain(index=1),
        "chain-packed-null": with_chain(packed=None),
        "chain-signatures-null": with_chain(signatures=None),
        "chain-signatures-101": with_chain(signatures=[""] * 101),
        "chain-signature-long": with_chain(signatures=["x" * 4101]),
        "chain-signature-number": with_chain(signatures=[1]),
        "chain-stored-number": with_chain(stored=0),
        "chain-stored-false": with_chain(stored=False),
        "chain-status-null": with_chain(status=None),
        "chain-cpu-text": with_chain(cpu_usage_us="628"),
        "chain-cpu-33-bits": with_chain(cpu_usage_us=2**32),
        "chain-net-minus": with_chain(net_usage_words=-1),
        "chain-net-true": with_chain(net_usage_words=True),
        "chain-path-text": with_chain(path=""),
        "chain-path-33": with_chain(path=["L"] * 33),
        "chain-path-long": with_chain(path=["L" * 101]),
        "chain-header-null": with_chain(header=None),
        "chain-producer-number": with_chain(producer_signature=1),
        "chain-producer-long": with_chain(producer_signature="x" * 4101),
        "chain-producer-key": with_chain(producer_key="x" * 101),
        "chain-with-empty": with_chain(signed_with={}),
        "chain-with-more": with_chain(signed_with={**signed_with, "more": ""}),
        "chain-with-null": with_chain(signed_with={**signed_with, "schedule_hash": None}),
    }


def cases() -> Iterator[Json]:
    nothing = {**undecided(*range(2, 16)), **failed(1)}
    said = {**SILENT, **NONE, "signed": None}
    for name, found in {**_of_the_whole(), **_of_log(), **_of_chain()}.items():
        why = "not of the form of /3"
        yield case(f"logged-form-{name}", why, receipt=found, nodes=[], steps=nothing, notices=said, count=15,
                   offline=True, **PINNED)  # fmt: skip
    deep = json.dumps(LOGGED.receipt(log="deep")).replace('"deep"', "[" * 64 + "]" * 64)
    online = {**undecided(*range(2, 13)), **failed(1)}
    asked: list[Node] = [(url, {}) for url in URLS]
    yield case("logged-form-deep", "too deep", receipt=deep, nodes=asked, steps=online, notices=said, **PINNED)
