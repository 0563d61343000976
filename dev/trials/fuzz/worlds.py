"""Cases whose hashes and signatures all fit, as an operator could make them: what the last steps have to judge."""

from functools import cache
from random import Random
from typing import Any

from dev.stations.ocmf import SignedMeter
from dev.trials.fuzz.charges import charge
from ledger.chain import antelope
from ledger.chain.antelope import AntelopeError
from stations.metering.judging import SignedValue, half_up, judge
from tests.ledger.receipts.receipt_chain import RECORD
from tests.vectors import chain
from tests.vectors.chain import (
    ACCOUNT,
    CREDIT_ID,
    LEDGER_ID,
    OTHER_RECORD,
    World,
    action,
    digest_of,
    entry,
    record_data,
    transaction,
)
from tests.vectors.loading import Vector, vector_of
from tests.vectors.making import case

NAMES = ("evledger", "evledgerabcdj", "eosio", "eosio.prods", "a.b", "zzzzzzzzzzzz", "")
SAVANNA = 1 << 31
SIGNED = 60  # records of charges that meters signed
OTHER_METER = SignedMeter("1EVP2", secret=0xBEEF).public_key.hex()


def made(rng: Random, name: str) -> Vector:
    """A world in which something is unusual: its transaction, its block, its tables or its contract."""
    while True:
        record = RECORD if rng.random() < 0.5 else rng.choice(signed_records())
        world = World(
            record=record,
            packed=_packed(rng, (LEDGER_ID, digest_of(record))),
            header=_header(rng),
            row=rng.random() < 0.7,
            floor=rng.choice((0, 1500, 1868, 1869, 1870, "1869", 2**63)),
            credit=rng.choice((None, None, CREDIT_ID, 2**64 - 1)),
            permissions=rng.choice((chain.KEPT, chain.GIVEN_AWAY, _permissions(rng))),
            any_links=rng.choice(((), (), [{"account": "eosio", "action": rng.choice(("setcode", "newaccount"))}])),
        )
        world = world.but(entries=_entries(rng, world.packed))
        credit = rng.choice(({}, {}, {"credited_by": None}, {"credited_by": str(world.credit or CREDIT_ID)}))
        attested = rng.choice(({}, {}, {"attestation": chain.certification()}))
        try:
            receipt = world.receipt(**credit, **attested)
            written = case(name, "its hashes fit", world=world, receipt=receipt, meter_keys=_meter_keys(rng, record))
        except (AntelopeError, ValueError):
            continue  # no such block
        return vector_of(written)


@cache
def signed_records() -> tuple[Any, ...]:
    """Records of charges that meters signed, rightly or not, with their figures or others; always the same."""
    rng = Random(14)  # noqa: S311  nothing secret, and the same again
    return tuple(_signed_record(rng) for _ in range(SIGNED))


def _signed_record(rng: Random) -> dict[str, Any]:
    while True:
        made = charge(rng)
        key = None if made.key is None else bytes.fromhex(made.key)
        found = judge([SignedValue.of(value) for value in made.values], key, token_uid=made.token)
        if found.verdict == "VERIFIED" or rng.random() < 0.1:
            break
    read = found.begin is not None and found.end is not None
    begin, end = (half_up(one.register_wh) if read and one else 0 for one in (found.begin, found.end))
    energy = found.energy_wh or 0
    record = {
        **RECORD,
        "signed_meter_values": made.values,
        "signed_verdict": found.verdict,
        "signed_reason": found.reason,
    }
    record |= {"meter_start_wh": begin, "meter_stop_wh": end, "energy_wh": energy + rng.choice((0, 0, 0, 0, 1))}
    record |= {"meter_public_key": made.key, "id_token": made.token and {"type": "ISO14443", "uid": made.token}}
    if rng.random() < 0.2:
        record["signed_verdict"] = rng.choice(("VERIFIED", "NOT CHECKED", "FAILED", ""))
    return {name: value for name, value in record.items() if value is not None}


def _meter_keys(rng: Random, record: Any) -> list[str]:
    """Of this meter, of another, of both, or none."""
    own = (
        [record["meter_public_key"]]
        if record.get("signed_verdict") == "VERIFIED" and "meter_public_key" in record
        else []
    )
    return rng.choice(([], [], own, [OTHER_METER], [OTHER_METER, *own]))


def _packed(rng: Random, mine: tuple[int, bytes]) -> bytes:
    records = [
        rng.choice((mine, mine, OTHER_RECORD, (mine[0], OTHER_RECORD[1]))) for _ in range(rng.choice((0, 1, 2, 3)))
    ]
    blocks = rng.choice((None, [], [4600], [1, 2, 2**32 - 1]))
    marks = None if blocks is None else rng.choice((None, [], [(CREDIT_ID, bytes(32))]))
    data = record_data([*records, mine], blocks, marks) + rng.choice((b"", b"", b"", b"\0", b"\x80"))
    ours = action(
        data,
        account=rng.choice((ACCOUNT, ACCOUNT, ACCOUNT, "evledgerabcdj")),
        name=rng.choice(("record", "record", "prune")),
    )
    free = rng.choice(((), (), (), [action(data)], [action(b"", account="alice", name="nonce")]))
    packed = transaction(ours, *rng.choice(((), (ours,))), free=free, extensions=rng.choice(((), (), [(1, b"x")])))
    if rng.random() < 0.6:
        return packed
    changed = bytearray(packed)
    at = rng.randrange(len(changed))
    changed[at] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, changed[at] ^ 1 << rng.randrange(8)))
    return bytes(changed[: rng.choice((len(changed), len(changed), at))]) + rng.choice((b"", b"", b"\0"))


def _entries(rng: Random, packed: bytes) -> list[Any]:
    signature = chain.signature_of(packed)
    curve, data = antelope.signature_decode(signature)
    recovery = antelope.signature_encode(bytes([data[0] ^ 1]) + data[1:], curve)
    signatures = rng.choice(
        (
            *([signature],) * 4,
            *([], [recovery], [chain.signature_of(packed, chain.STRANGER)]),
            *([chain.other_signature("K1"), chain.other_signature("WA"), signature], [chain.other_signature("WA")]),
        )
    )
    status = rng.choice(("executed",) * 5 + ("soft_fail", "hard_fail", "delayed", "expired"))
    ours = entry(packed, signatures=signatures, status=status, zipped=rng.random() < 0.3)
    others = [entry(chain.STRANGERS), chain.deferred(), chain.deferred(2), ours, entry(packed)]
    found = [ours, *rng.sample(others, rng.choice((0, 1, 2, 4)))]
    rng.shuffle(found)
    return found


def _header(rng: Random) -> dict[str, Any]:
    key = rng.choice((chain.STRANGER.public, "EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"))
    producers = [{"producer_name": rng.choice(NAMES), "block_signing_key": key}] * rng.choice((0, 1, 2))
    return {
        "schedule_version": rng.choice((0, 1, SAVANNA, SAVANNA - 1, 2**32 - 1)),
        "producer": rng.choice(NAMES),
        "confirmed": rng.choice((0, 1, 65535)),
        "header_extensions": rng.choice(([], [[0, "01"]], [[1, ""], [65535, "00" * 200]])),
        "new_producers": rng.choice((None, None, {"version": 7, "producers": producers})),
        "timestamp": rng.choice(("2026-03-01T08:00:00.500", "2000-01-01T00:00:00.000", "2068-01-19T03:14:07.500")),
    }


def _permissions(rng: Random) -> list[Any]:
    """Owner, active and some below, each held by somebody or nobody, linked to something or not."""
    links: Any = ([], [], [("eosio", "setcode")], [("eosio", "setabi")], [("eosio", "")], [("evledger", "setcode")])
    levels: Any = ([], [chain.NULL], [{"permission": {"actor": "eosio.null", "permission": "owner"}, "weight": 1}])
    found = []
    for name, parent in (("owner", ""), ("active", "owner"), ("a", "active"), ("b", "a"), ("c", "b"), ("d", "active")):
        held = {"keys": rng.choice((0, 0, 1)), "waits": rng.choice((0, 0, 0, 1)), "accounts": rng.choice(levels)}
        found.append(chain.permission(name, parent, links=rng.choice(links), **held))
    return found
