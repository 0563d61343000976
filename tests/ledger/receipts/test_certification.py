"""In which TPM was the key made? What a receipt says of it, in both verifiers (step 8), and made by a real TPM."""

import base64
import itertools
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.keys import new_keypair
from dev.chain.nodeos import Nodeos
from ledger.chain.antelope import sha256
from ledger.receipts import certification, checks, receipt
from ledger.receipts.published import published_ak
from ledger.record import canonical
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger import soft_tpm
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.receipts.receipt_chain import RECORD, SCRIPT, Verification, Verifier, portal, standalone, verifier
from tests.ledger.soft_tpm import SoftTpm, ecc_public, point_of
from tests.people import log_in
from tpm.client import TpmClient
from tpm.verifier.certification import Certification, certification_nonce

__all__ = ["verifier"]  # fixture
Json = dict[str, Any]
PAIR = new_keypair("R1")
SALT = bytes(32)
TPM = SoftTpm()
RECEIPT = receipt.build(
    canonical=canonical(RECORD),
    salt=SALT,
    digest=sha256(SALT + canonical(RECORD)),
    ledger_id=7,
    chain_id="ab" * 32,
    account="evledger",
    transaction_id="cd" * 32,
    block_num=5,
    block_id="00000005" + "ef" * 28,
    public_key=PAIR.public,
)


def check(verifier: Verifier, attestation: Any, *, ak: str | None = None, key: str = PAIR.public) -> Verification:
    """What a verifier says without any node: step 8 fails, or waits for nodes."""
    content = json.dumps({**RECEIPT, "public_key": key, "attestation": attestation})
    return verifier(content, (), key=key, chain_id=RECEIPT["chain_id"], account=RECEIPT["account"], ak=ak)


def accepted(found: Verification) -> bool:
    return found.failed == () and 8 in found.undecided


# --- what is said


def test_a_key_made_in_a_tpm_is_said_with_the_fingerprint_of_its_ak(verifier: Verifier) -> None:
    found = check(verifier, TPM.certification(PAIR))
    assert accepted(found), found.text
    assert f"made in the TPM of AK {TPM.fingerprint}" in found.text
    assert "worth as much as that AK" in found.text


def test_a_receipt_that_says_nothing_of_a_tpm_is_valid_and_says_so(verifier: Verifier) -> None:
    found = check(verifier, None)
    assert accepted(found), found.text
    assert "does not say in which TPM the key was made" in found.text


def test_a_tpm_without_an_ek_certificate(verifier: Verifier) -> None:
    found = check(verifier, SoftTpm(ek_certificate=None).certification(PAIR))
    assert accepted(found), found.text


def test_a_pinned_ak(verifier: Verifier) -> None:
    """With the published fingerprint, only a key of that TPM will do."""
    assert accepted(check(verifier, TPM.certification(PAIR), ak=TPM.fingerprint))
    assert check(verifier, SoftTpm().certification(PAIR), ak=TPM.fingerprint).failed == (8,)
    assert check(verifier, None, ak=TPM.fingerprint).failed == (8,)


# --- every byte


def texts_of(attestation: Json) -> list[tuple[str, str]]:
    """(part, changed text): each byte of each part changed, one left out in front and behind, one added."""
    changes = []
    for part, text in attestation.items():
        if part == "format":
            continue
        data = base64.b64decode(text)
        altered = [data[:i] + bytes([data[i] ^ (1 << i % 8)]) + data[i + 1 :] for i in range(len(data))]
        altered += [data[1:], data[:-1], data + b"\0", b"\0" + data]
        changes += [(part, base64.b64encode(other).decode()) for other in altered]
    return changes


def test_every_altered_byte_fails_step_8(verifier: Verifier) -> None:
    attestation = TPM.certification(PAIR)
    for part, text in texts_of(attestation):
        found = check(verifier, {**attestation, part: text})
        assert found.failed == (8,), (part, text, found.text)


def test_every_part_cut_off_at_any_byte_fails_step_8(verifier: Verifier) -> None:
    attestation = TPM.certification(PAIR)
    for part in certification.PARTS:
        data = base64.b64decode(str(attestation[part]))
        for length in range(1, len(data), 3):
            text = base64.b64encode(data[:length]).decode()
            assert check(verifier, {**attestation, part: text}).failed == (8,), (part, length)


@pytest.mark.parametrize("part", certification.PARTS)
def test_another_spelling_of_the_same_bytes_fails_step_8(verifier: Verifier, part: str) -> None:
    text = str(TPM.certification(PAIR)[part])
    spellings = {
        text.rstrip("="),
        text + "=",
        text + "\n",
        " " + text,
        text.replace("+", "-").replace("/", "_"),
        "!!!!",
    }
    if text.endswith("="):  # the last character has bits that mean nothing
        place = len(text.rstrip("=")) - 1
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        spellings.add(text[:place] + alphabet[alphabet.index(text[place]) ^ 1] + text[place + 1 :])
    for other in spellings - {text}:
        found = check(verifier, {**TPM.certification(PAIR), part: other})
        assert found.failed == (8,), (other, found.text)


# --- hostile certifications, each well-formed and signed


def foreign_curve() -> bytes:
    key = ecc_public(point_of(PAIR), soft_tpm.KEY)
    return key.replace(struct.pack(">HH", 3, 0x10), struct.pack(">HH", 4, 0x10), 1)


OTHER = new_keypair("R1")
HOSTILE: dict[str, Callable[[], Json]] = {
    "of another key": lambda: TPM.certification(OTHER),
    "this key beside a statement on another": lambda: {
        **TPM.certification(OTHER),
        "key": TPM.certification(PAIR)["key"],
    },
    "signed by another AK": lambda: {
        **TPM.certification(PAIR),
        "signature": SoftTpm().certification(PAIR)["signature"],
    },
    "shown with another AK": lambda: {**TPM.certification(PAIR), "ak": SoftTpm().certification(PAIR)["ak"]},
    "AK that states it is another": lambda: TPM.certification(PAIR, attest={"signer": bytes(34)}),
    "AK of the null hierarchy": lambda: SoftTpm(hierarchy=soft_tpm.NULL_HIERARCHY).certification(PAIR),
    "AK with a policy that is none": lambda: SoftTpm(ak_policy=bytes(5)).certification(PAIR),
    "AK of an unknown scheme": lambda: SoftTpm(ak_scheme=struct.pack(">HH", 0x99, 0x0B)).certification(PAIR),
    "AK in no TPM's form": lambda: {**TPM.certification(PAIR), "ak": base64.b64encode(b"AK").decode()},
    "a quote": lambda: TPM.certification(PAIR, attest={"type": soft_tpm.QUOTE}),
    "not made by a TPM": lambda: TPM.certification(PAIR, attest={"magic": 0xFF544348}),
    "a nonce of its own": lambda: TPM.certification(PAIR, attest={"extra": bytes(32)}),
    "another TPM's EK certificate": lambda: {**TPM.certification(PAIR), "ek_certificate": "AAAA"},
    "no EK certificate any more": lambda: {**TPM.certification(PAIR), "ek_certificate": None},
    "the name without its algorithm": lambda: TPM.certification(
        PAIR, attest={"name": sha256(ecc_public(point_of(PAIR), soft_tpm.KEY))}
    ),
    "trailing bytes, signed": lambda: TPM.certification(PAIR, attest={"tail": b"\0"}),
    "safe that is neither yes nor no": lambda: TPM.certification(
        PAIR, attest={"clock": struct.pack(">QIIB", 1, 1, 1, 2)}
    ),
    "key with trailing bytes": lambda: TPM.certification(PAIR, public=ecc_public(point_of(PAIR), soft_tpm.KEY) + b"\0"),
    "key on another curve": lambda: TPM.certification(PAIR, public=foreign_curve()),
    "key whose Name is of SHA-384": lambda: TPM.certification(
        PAIR, public=ecc_public(point_of(PAIR), soft_tpm.KEY, name_algorithm=0x0C)
    ),
    "key that is none": lambda: TPM.certification(PAIR, public=b""),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_certifications_fail_step_8(verifier: Verifier, case: str) -> None:
    attestation = HOSTILE[case]()
    if case == "key that is none":
        attestation["key"] = "AA=="
    found = check(verifier, attestation)
    assert found.failed == (8,), found.text
    assert "no certification" in found.text


@pytest.mark.parametrize("missing", ["FIXED_TPM", "FIXED_PARENT", "DATA_ORIGIN", "SIGN", "RESTRICTED"])
def test_an_ak_that_is_not_one_fails_step_8(verifier: Verifier, missing: str) -> None:
    tpm = SoftTpm(ak_attributes=soft_tpm.AK & ~getattr(soft_tpm, missing))
    assert check(verifier, tpm.certification(PAIR)).failed == (8,)


def test_an_ak_that_decrypts_fails_step_8(verifier: Verifier) -> None:
    tpm = SoftTpm(ak_attributes=soft_tpm.AK | soft_tpm.DECRYPT)
    assert check(verifier, tpm.certification(PAIR)).failed == (8,)


@pytest.mark.parametrize("missing", ["FIXED_TPM", "FIXED_PARENT", "DATA_ORIGIN", "SIGN"])
def test_a_key_that_can_leave_its_tpm_fails_step_8(verifier: Verifier, missing: str) -> None:
    public = ecc_public(point_of(PAIR), soft_tpm.KEY & ~getattr(soft_tpm, missing))
    assert check(verifier, TPM.certification(PAIR, public=public)).failed == (8,)


@pytest.mark.parametrize("more", ["RESTRICTED", "DECRYPT"])
def test_a_key_of_another_use_fails_step_8(verifier: Verifier, more: str) -> None:
    public = ecc_public(point_of(PAIR), soft_tpm.KEY | getattr(soft_tpm, more))
    assert check(verifier, TPM.certification(PAIR, public=public)).failed == (8,)


def test_an_rsa_ak_fails_step_8(verifier: Verifier) -> None:
    rsa = struct.pack(">HHIH", 1, 0x0B, soft_tpm.AK, 0) + struct.pack(">HHHI", 0x10, 0x10, 2048, 0)
    public = rsa + soft_tpm.sized(b"\xff" * 256)
    attestation = {**TPM.certification(PAIR), "ak": base64.b64encode(public).decode()}
    assert check(verifier, attestation).failed == (8,)


def test_forms_of_public_areas_that_both_verifiers_take_or_refuse_alike() -> None:
    """Schemes, key derivations and protections in every mixture: the two never disagree."""
    symmetrics = (soft_tpm.NONE, struct.pack(">HHH", 6, 128, 0x43), struct.pack(">H", 0x25))
    schemes = [struct.pack(">H", number) + tail for number in (0x10, *range(0x13, 0x1F)) for tail in (b"", b"\0\x0b")]
    kdfs = (soft_tpm.NONE, struct.pack(">HH", 0x20, 0x0B), struct.pack(">H", 0x21), struct.pack(">H", 7))
    verdicts = set()
    for symmetric, scheme, kdf in itertools.product(symmetrics, schemes, kdfs):
        public = ecc_public(point_of(PAIR), soft_tpm.KEY, symmetric=symmetric, scheme=scheme, kdf=kdf)
        attestation = TPM.certification(PAIR, public=public)
        ours, theirs = check(portal, attestation), check(standalone, attestation)
        assert accepted(ours) == accepted(theirs), (symmetric, scheme, kdf)
        verdicts.add(accepted(ours))
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "evportal-key-certification/2"},
        {"more": "x"},
        {"key": None},
        {"ak": ""},
        {"ek_certificate": ""},
        {"signature": 7},
        {"attest": ["x"]},
        {"ak": "A" * 8001},
    ],
)
def test_what_is_no_certification_is_no_receipt(verifier: Verifier, change: Json) -> None:
    assert check(verifier, {**TPM.certification(PAIR), **change}).failed == (1,)


@pytest.mark.parametrize("value", ["", 0, False, [], {}, [["format", 1]], "x", {"format": "x"}])
def test_what_is_not_even_an_object_is_no_receipt(verifier: Verifier, value: Any) -> None:
    assert check(verifier, value).failed == (1,)


@pytest.mark.parametrize("part", ["format", *certification.PARTS])
def test_a_part_that_is_missing_is_no_receipt(verifier: Verifier, part: str) -> None:
    attestation = {name: value for name, value in TPM.certification(PAIR).items() if name != part}
    assert check(verifier, attestation).failed == (1,)


# --- the real TPM


@pytest.fixture(scope="module")
def made(tpm_stack: Any) -> tuple[str, Json]:
    """A key's public form and its certification, by the service."""
    client: TpmClient = tpm_stack.client(scopes=("tpm/keys", "tpm/sign", "tpm/attest"))
    key = client.key_create("certified")
    identity = client.identity()
    ek_certificate = base64.b64decode(identity["ek"]["certificate"])
    answer = client.certify("certified", certification_nonce(ek_certificate))
    attestation = certification.content(
        Certification.parse(answer),
        ak_public=base64.b64decode(identity["ak"]["public"]),
        ek_certificate=ek_certificate,
    )
    return key.public_key_eosio, attestation


def test_the_service_s_certification_is_accepted(verifier: Verifier, made: tuple[str, Json]) -> None:
    key, attestation = made
    fingerprint = sha256(base64.b64decode(attestation["ak"])).hex()
    found = check(verifier, attestation, key=key, ak=fingerprint)
    assert accepted(found) and fingerprint in found.text, found.text
    assert check(verifier, attestation, ak=fingerprint).failed == (8,)  # another key's receipt


def test_every_altered_byte_of_the_service_s_certification_fails(verifier: Verifier, made: tuple[str, Json]) -> None:
    key, attestation = made
    for part, text in texts_of(attestation)[::3]:
        assert check(verifier, {**attestation, part: text}, key=key).failed == (8,), (part, text)


def test_a_quote_of_the_service_is_no_certification(verifier: Verifier, made: tuple[str, Json], tpm_stack: Any) -> None:
    """The real AK signs quotes too."""
    key, attestation = made
    answer = tpm_stack.client(scopes=("tpm/attest",)).attest(bytes(32), [0])
    quote = {"attest": answer["quote"], "signature": answer["signature"]}
    assert check(verifier, {**attestation, **quote}, key=key).failed == (8,)


# --- the command


def run(content: Json, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(SCRIPT), "-", "--key", PAIR.public, *options]
    text = receipt.dumps(content)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_pins_an_ak() -> None:
    certified = {**RECEIPT, "attestation": TPM.certification(PAIR)}
    assert run(certified, "--ak", TPM.fingerprint.upper()).returncode == 2  # no node was asked
    other = run(certified, "--ak", "00" * 32)
    assert (other.returncode, other.stdout.splitlines()[-1]) == (1, "NOT VALID")
    assert " 8 failed" in other.stdout and TPM.fingerprint in other.stdout
    bare = run(RECEIPT, "--ak", TPM.fingerprint)
    assert bare.returncode == 1 and "does not say in which TPM" in bare.stdout


def test_the_command_s_help_explains_the_ak() -> None:
    text = run(RECEIPT, "--help").stdout
    for words in ("--ak HEX", "worth as much as the attestation key", "In which TPM the key was made"):
        assert words in text


# --- a session's own receipt


@pytest.mark.django_db(transaction=True)
def test_a_session_s_receipt_says_in_which_tpm_its_key_was_made(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    owner: User,
    client: Client,
    settings: Settings,
) -> None:
    """Recorded with the real TPM: the file that the driver downloads, the page that they see, and the script."""
    settings.LEDGER_NODES = nodes = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    drive(all_recorded)
    log_in(client, owner)
    content = receipt.loads(client.get(f"/sessions/{session.pk}/receipt.json").content)
    fingerprint = sha256(base64.b64decode(content["attestation"]["ak"])).hex()
    assert fingerprint == published_ak(content["public_key"])
    page = client.get(f"/sessions/{session.pk}/verify").content.decode()
    assert f"made in the TPM of AK {fingerprint}" in page and "worth as much as that AK" in page
    pinned = {"key": content["public_key"], "chain_id": settings.LEDGER_CHAIN_ID, "ak": fingerprint}
    pinned["account"] = settings.LEDGER_ACCOUNT
    for check_it in (portal, standalone):
        found = check_it(json.dumps(content), nodes, **pinned)
        assert found.verdict == "VERIFIED", found.text


@pytest.mark.django_db(transaction=True)
def test_the_portal_knows_the_ak_and_takes_receipts_from_before_it_did(
    ledger_account: LedgerAccount, second_node: Nodeos, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    drive(all_recorded)
    content = checks.receipt_for(session)
    assert checks.verify_receipt(content).verdict == "VERIFIED"
    old = checks.verify_receipt({**content, "attestation": None})
    assert old.verdict == "VERIFIED" and "does not say in which TPM" in old.steps[7].note
    made_up = SoftTpm().certification(PAIR)
    forged = {**content, "attestation": {**made_up, "key": content["attestation"]["key"]}}
    assert [step.number for step in checks.verify_receipt(forged).steps if step.outcome == "failed"] == [8]


@pytest.mark.django_db(transaction=True)
def test_a_self_made_ak_is_not_the_one_that_the_portal_knows(
    ledger_account: LedgerAccount, second_node: Nodeos, close_sessions: CloseSessions, settings: Settings
) -> None:
    """A software AK can state anything; only whoever knows the published one finds that out."""
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    drive(all_recorded)
    content = checks.receipt_for(session)
    key, tpm = base64.b64decode(content["attestation"]["key"]), SoftTpm()
    forged = {**content, "attestation": tpm.certification(PAIR, public=key)}
    steps = checks.verify_receipt(forged).steps
    assert [step.number for step in steps if step.outcome == "failed"] == [8]
    assert f"got one of AK {tpm.fingerprint}" in steps[7].note
