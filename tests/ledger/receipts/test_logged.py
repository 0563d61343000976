"""Receipts that need no node: changed bytes of their parts are found, and they are made of real blocks."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from dev.chain.nodeos import Nodeos
from ledger.chain import antelope, k1
from ledger.chain import block as blocks
from ledger.models import LogWitness
from ledger.receipts import chain_part, checks, parts, receipt
from ledger.receipts.log_part import tlog_proof
from ledger.receipts.receipt import Pins
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.test_savanna import BLOCKS as SPRING
from tests.ledger.log.steps import published
from tests.ledger.receipts.receipt_chain import script
from tests.vectors.chain import certification
from tests.vectors.log_world import AUDITOR, CLUB, LOG_KEY
from tests.vectors.logged_making import LOGGED, PINNED
from tests.vectors.making import PINS, WORLD

MADE = LOG_KEY.attestation()
WHOLE = LOGGED.but(
    key_attestation=MADE, attestation=certification(), ak_certificates={CLUB.name: CLUB.ak_certificate(MADE)}
).receipt()
EACH = 5  # characters of a text: all of them take minutes
# in which steps a change of a member may show; of the checkpoint's text all that look at it
NAMED = {
    "index": {13},
    "proof": {13},
    "checkpoint": {13, 14, 15},
    "key": {14},
    "key_attestation": {14, 15},
    "witnesses": {15},
    "packed": {5, 7, 8, 9},
    "signatures": {5, 8},
    "compression": {5, 7},
    "stored": {5, 7},
    "context_free_data": {5},
    "status": {5, 6},
    "cpu_usage_us": {5},
    "net_usage_words": {5},
    "path": {5},
    "header": {4, 5},
    "producer_signature": {4},
    "producer_key": {4},
    "signed_with": {4},
}


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each text and number in it."""
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*way, name))
    elif value is not None:
        yield way


def changed(content: dict[str, Any], way: tuple[Any, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    found = copy.deepcopy(content)
    inner: Any = found
    for name in way[:-1]:
        inner = inner[name]
    inner[way[-1]] = change(inner[way[-1]])
    return found


def another(text: str, at: int) -> str:
    """Another character there, of the same kind, so that the form stays."""
    digits = "0123456789abcdef"
    other = digits[digits.index(text[at]) ^ 1] if text[at] in digits else chr(ord(text[at]) ^ 1)
    return text[:at] + other + text[at + 1 :]


def verified(content: dict[str, Any]) -> receipt.Check:
    pins = {**PINS, **PINNED}
    return receipt.verify(content, [], Pins(WORLD.key.public, **pins), offline=True)


@pytest.mark.parametrize("part", ["log", "chain"])
def test_a_changed_byte_fails_at_the_step_that_names_it(part: str) -> None:
    assert verified(WHOLE).verdict == "VERIFIED OFFLINE"
    wrong = []
    for way in places(WHOLE[part]):
        inner: Any = WHOLE[part]
        for name in way:
            inner = inner[name]
        each = range(0, len(inner), EACH) if isinstance(inner, str) else [0]
        for at in each:
            new = another(inner, at) if isinstance(inner, str) else inner + 1
            check = verified(changed(WHOLE, (part, *way), partial(_replaced, new)))
            failed = {step.number for step in check.steps if step.outcome == "failed"}
            if not failed or not failed <= NAMED[way[0]] | {1}:
                wrong.append((way, at, failed))
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def _replaced(new: Any, old: Any) -> Any:
    return new


def _changed(old: Any) -> Any:
    return old + 1 if isinstance(old, int) else another(old, len(old) // 2) if old else old


def test_the_script_finds_them_too() -> None:
    module: Any = script()
    pins = {**PINS, **PINNED, "key": WORLD.key.public, "offline": True}
    for part in ("log", "chain"):
        for way in places(WHOLE[part]):
            content = changed(WHOLE, (part, *way), _changed)
            if content == WHOLE:
                continue  # an empty text
            steps, _ = module.verify(json.dumps(content).encode(), [], pins)
            failed = {number for number, step in enumerate(steps, start=1) if step[1] == "failed"}
            assert failed and failed <= NAMED[way[0]] | {1}, (way, failed)


def test_two_of_one_size_are_two_faces() -> None:
    module: Any = script().sibling("verify_log")
    left, right = LOGGED.receipt(), LOGGED.but(other_face=True).receipt()
    assert module.two_faces([left, left]) == [] and module.two_faces([left, {**right, "log": None}]) == []
    assert module.two_faces([left, right]) == ["log.operator.example/evportal at size 5"]


@pytest.mark.skipif(not SPRING.exists(), reason=f"no blocks of a Savanna chain at {SPRING}")
def test_chain_parts_of_real_blocks() -> None:
    """Each transaction of them; from block 6 on one producer signs their ids."""
    found = json.loads(SPRING.read_text())
    signature = antelope.signature_decode(found[-1]["producer_signature"])[1]
    key = antelope.public_key_encode(k1.recover(blocks.block_id(found[-1]), signature), "K1")
    count = 0
    for block in found:
        for transaction in blocks.transactions(block):
            made = chain_part.chain_part_of(block, transaction.id.hex(), [key])
            part = parts.chain_part(made)
            assert part is not None
            assert chain_part.header_of(part).id == blocks.block_id(block)
            assert chain_part.root_of(part).hex() == block["transaction_mroot"]
            assert chain_part.producer_key(part) == (key if chain_part.header_of(part).is_savanna else None)
            count += 1
    assert count >= 31


@pytest.mark.django_db(transaction=True)
def test_a_recorded_charge_has_one_when_its_checkpoint_is_published(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    chain_node: Nodeos,
) -> None:
    close_sessions(3)
    record_all()
    session = ChargingSession.objects.order_by("pk")[1]
    assert checks.receipt_for(session)["format"] == "evportal-receipt/2"
    checkpoint = published(3)
    for witness in (AUDITOR, CLUB):
        row = LogWitness.objects.create(name=witness.name, url="https://w.example", vkey=witness.vkey)
        if witness is CLUB:  # it has looked at the TPM, and at another one
            seen = [witness.ak_certificate(proof) for proof in (MADE, checks.receipt_for(session)["attestation"])]
            LogWitness.objects.filter(pk=row.pk).update(ak_certificates=seen)
        line = witness.line(checkpoint.note.partition("\n\n")[0] + "\n").rstrip("\n")
        checkpoint.cosignatures.create(witness=row, line=line, cosigned_at=checkpoint.made_at)
    content = checks.receipt_for(session)
    assert content["format"] == "evportal-receipt/3" and content["chain"] is not None
    assert "log" not in checks.receipt_for(session, attested=False)
    pins = checks.published_pins(content["public_key"], checks.published_ak(content["public_key"]))
    log_pins = {"log_key": content["log"]["key"], "witnesses": [CLUB.vkey, AUDITOR.vkey]}
    named = {name: getattr(pins, name) for name in ("public_key", "chain_id", "ak", "account")}
    check = receipt.verify(content, [], Pins(**named, **log_pins), offline=True)
    assert check.verdict == "VERIFIED OFFLINE", [step for step in check.steps if step.outcome != "ok"]
    assert check.notices.log is not None and check.notices.log.witnesses == (AUDITOR.name, CLUB.name)
    assert [one["ak_certificate"] for one in content["log"]["witnesses"]] == [None, seen[1]]
    assert check.steps[14].note == f"this TPM was looked at by {CLUB.name}"
    said: dict[str, Any] = {"key": pins.public_key, "chain_id": pins.chain_id, "ak": pins.ak, "account": pins.account}
    said |= {"code_hash": None, "code_updated": None, "offline": True, **log_pins}
    steps, _ = script().verify(receipt.dumps(content).encode(), [], said)
    assert script().verdict_of(steps, said) == "VERIFIED OFFLINE", steps
    assert len(checks.verify_session(session).steps) == 15, "and where nodes are asked"
    proof = tlog_proof(content["log"]).splitlines()
    assert proof[:2] == ["c2sp.org/tlog-proof@v1", f"index {content['log']['index']}"]
    assert "\n".join(proof).endswith(content["log"]["checkpoint"].rstrip("\n"))
