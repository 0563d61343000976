"""PURE: steps 13 to 15 from a receipt's member `log`, and what is said of it beside the steps (docs/receipts.md)."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain import antelope
from ledger.chain.antelope import AntelopeError
from ledger.chain.block import hex_bytes
from ledger.log import tree
from ledger.receipts import certification
from ledger.receipts.finding import Finding
from ledger.receipts.form import LEDGER_ID, Receipt
from ledger.receipts.note import LOG_TYPE, WITNESS_TYPE, LogError, Signature, SignedCheckpoint, VerifierKey, unbase64
from ledger.receipts.parts import LogPart, WitnessPart
from ledger.receipts.pins import Pins
from tpm.verifier.errors import AttestationError

AK_FORMAT = "evportal-ak-certificate/1"
AK_HASHES = ("ak", "ek_certificate", "root")


@dataclass(frozen=True, slots=True)
class LogNotice:
    """What the checkpoint says, and who of the receipt's witnesses signed it."""

    size: int
    origin: str
    witnesses: tuple[str, ...]
    time: int | None  # of the newest cosignature, seconds since 1970


def notice(log: LogPart | None) -> LogNotice | None:
    """None where there is no log part whose checkpoint can be read."""
    try:
        if log is None:
            return None
        note = SignedCheckpoint.parse(log.checkpoint)
    except LogError:
        return None
    signed = [found for one in log.witnesses if (found := _signed(one, note)) is not None]
    newest = max((at for _, at in signed), default=None)
    return LogNotice(note.size, note.origin, tuple(name for name, _ in signed), newest)


def _signed(witness: WitnessPart, note: SignedCheckpoint) -> tuple[str, int] | None:
    """Name and time, wherever in the note its line stands."""
    try:
        key = VerifierKey.parse(witness.key, WITNESS_TYPE)
    except LogError:
        return None
    mine = [line for line in note.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
    times = [at for line in mine if (at := key.cosigned_at(note.text, line.blob)) is not None]
    return (key.name, times[0]) if times else None


def holds(receipt: Receipt, pins: Pins, log: LogPart) -> Finding:
    """Step 13."""
    note = SignedCheckpoint.parse(log.checkpoint)
    if not LEDGER_ID.fullmatch(receipt.ledger_id) or int(receipt.ledger_id) >= 1 << 64:
        raise LogError("ledger_id: expected a number of 64 bits")
    try:
        leaf = tree.leaf(int(receipt.ledger_id), hex_bytes(receipt.digest, "digest", 32))
        proof = [hex_bytes(one, "proof", 32) for one in log.proof]
        found = tree.root_from_inclusion(log.index, note.size, tree.leaf_hash(leaf), proof)
    except (AntelopeError, tree.ProofError) as error:
        raise LogError(str(error)) from error
    return Finding("", note.root.hex(), found.hex(), found == note.root)


def signed_by_log(receipt: Receipt, pins: Pins, log: LogPart) -> Finding:
    """Step 14."""
    note, key = SignedCheckpoint.parse(log.checkpoint), VerifierKey.parse(log.key, LOG_TYPE)
    expected = pins.log_key or log.key
    if key.text != expected:
        return Finding("", expected, key.text, False, "another key than the pinned one")
    line = note.signatures[0]
    if (note.origin, line.name, line.key_id) != (key.name, key.name, key.key_id):
        return Finding("", expected, f"a line of {line.name[:60]}", False, "signed by another name or key id")
    if not key.has_signed(note.text.encode(), line.blob):
        return Finding("", expected, "not signed by this key", False)
    made = _made(log.key_attestation, key.antelope, pins.ak)
    named = "" if pins.log_key else "key of the receipt"
    return Finding("", expected, key.text, True, "; ".join(filter(None, (named, made))))


def _made(attestation: Mapping[str, Any] | None, key: str, pinned_ak: str | None) -> str:
    """In which TPM the log's key was made, in words."""
    if attestation is None:
        if pinned_ak is not None:
            raise LogError("the receipt does not say in which TPM the log's key was made")
        return ""
    try:
        ak = certification.verify(attestation, key)
    except AttestationError as error:
        raise LogError(f"no certification of the log's key: {error}") from error
    if pinned_ak not in (None, ak):
        raise LogError(f"expected a key made in the TPM of AK {pinned_ak}, got one of AK {ak}")
    return f"made in the TPM of AK {ak}"


def signed_by_witnesses(receipt: Receipt, pins: Pins, log: LogPart) -> Finding:
    """Step 15."""
    note = SignedCheckpoint.parse(log.checkpoint)
    pinned = {text: VerifierKey.parse(text, WITNESS_TYPE) for text in pins.witnesses}
    keys = [VerifierKey.parse(one.key, WITNESS_TYPE) for one in log.witnesses]
    lines = note.signatures[1:]
    if len(lines) != len(keys):
        raise LogError(f"expected {len(keys)} signature lines of witnesses, got {len(lines)}")
    if len({key.name for key in keys}) != len(keys) or len({key.public for key in keys}) != len(keys):
        raise LogError("a witness is named twice")
    looked = []
    for key, line, one in zip(keys, lines, log.witnesses, strict=True):
        _check_cosignature(key, line, one, note)
        if any(pin.name == key.name and pin.text != key.text for pin in pinned.values()):
            raise LogError(f"{key.name}: another key than the pinned one")
        if one.ak_certificate is not None:
            _check_ak_certificate(key, one.ak_certificate, receipt)
            looked += [key.name] * (key.text in pinned)
    said = f"this TPM was looked at by {', '.join(looked)}" if looked else ""
    return _quorum([key for key in keys if key.text in pinned], keys, pins, said)


def _quorum(there: Sequence[VerifierKey], all_of: Sequence[VerifierKey], pins: Pins, note: str) -> Finding:
    if not pins.witnesses:
        found = f"{len(all_of)} witnesses of the receipt's own naming, none pinned"
        return Finding("", found, found, True, note)
    needed, names = pins.witnesses_needed, ", ".join(key.name for key in there)
    expected = f"at least {needed} of {len(set(pins.witnesses))} pinned witnesses"
    return Finding("", expected, f"{len(there)}: {names}", True if len(there) >= needed else None, note)


def _check_cosignature(key: VerifierKey, line: Signature, one: WitnessPart, note: SignedCheckpoint) -> None:
    named = (line.name, line.key_id, one.name) == (key.name, key.key_id, key.name)
    if not named or key.cosigned_at(note.text, line.blob) is None:
        raise LogError(f"{one.name[:60]}: a signature that is not right")


def _check_ak_certificate(key: VerifierKey, stated: Mapping[str, Any], receipt: Receipt) -> None:
    """What a witness says of the TPM has to be signed by it, and of a TPM that the receipt names."""
    if stated["format"] != AK_FORMAT:
        raise LogError(f"ak_certificate: expected {AK_FORMAT}, got {stated['format'][:40]!r}")
    try:
        hashes = [hex_bytes(stated[name], name, 32) for name in AK_HASHES]
    except AntelopeError as error:
        raise LogError(f"ak_certificate: {error}") from error
    lines = (AK_FORMAT, key.name, *(stated[name] for name in AK_HASHES), str(stated["time"]))
    signature = unbase64(stated["signature"])
    if not key.has_signed_ed25519("".join(f"{line}\n" for line in lines).encode(), signature):
        raise LogError(f"{key.name}: its ak_certificate is not signed by it")
    assert receipt.log is not None
    proofs = [one for one in (receipt.attestation, receipt.log.key_attestation) if one and one["ek_certificate"]]
    known = [[antelope.sha256(unbase64(one[part])) for part in ("ak", "ek_certificate")] for one in proofs]
    if hashes[:2] not in known:
        raise LogError(f"{key.name}: its ak_certificate is of another TPM")


def tlog_proof(log: Mapping[str, Any]) -> str:
    """The log part of a receipt as a file of C2SP's tlog-proof."""
    proof = [base64.b64encode(bytes.fromhex(one)).decode() for one in log["proof"]]
    lines = ["c2sp.org/tlog-proof@v1", f"index {log['index']}", *proof]
    return "".join(f"{line}\n" for line in lines) + f"\n{log['checkpoint']}"
