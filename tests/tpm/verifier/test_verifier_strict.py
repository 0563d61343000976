"""What is attested is read strictly: structures, members and sizes; whatever comes, it is judged or refused."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tpm.verifier.forger import STEPS, Forger, attest_head, b64, ecc_public, failed, judged, nonce, quote
from tpm.verifier.errors import AttestationError, MalformedError, UnsupportedError
from tpm.verifier.evidence import Evidence, SignedManifest
from tpm.verifier.steps import accepted
from tpm.verifier.structures import Clock, parse_certify, parse_public, parse_quote, tpm2b_open

LAST = Clock(1_000_000, 10, 2, True)


def rsa_public(bits: int = 2048, modulus_bytes: int = 256) -> bytes:
    head = struct.pack(">HHI", 0x0001, 0x000B, 0x000300B2) + struct.pack(">H", 32) + bytes(32)
    parameters = struct.pack(">HHHHHI", 0x0006, 128, 0x0043, 0x0010, bits, 0)
    return head + parameters + struct.pack(">H", modulus_bytes) + b"\xc1" * modulus_bytes


def off_the_curve(public: bytes) -> bytes:
    return public[:-1] + bytes([public[-1] ^ 1])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", MalformedError),
        (ecc_public(Forger().ak.public_key())[:-1], MalformedError),
        (ecc_public(Forger().ak.public_key()) + b"\0", MalformedError),
        (ecc_public(Forger().ak.public_key(), curve=4), UnsupportedError),
        (off_the_curve(ecc_public(Forger().ak.public_key())), MalformedError),
        (struct.pack(">HHIH", 0x0008, 0x000B, 0, 0), UnsupportedError),
        (struct.pack(">HHIH", 0x0023, 0x0004, 0, 0), UnsupportedError),
        (rsa_public(bits=1024), MalformedError),
        (rsa_public(modulus_bytes=255), MalformedError),
    ],
    ids=["nothing", "short", "long", "curve", "point", "keyedhash", "hash", "rsa-1024", "modulus"],  # not the keys
)
def test_public_areas_are_read_strictly(data: bytes, error: type[AttestationError]) -> None:
    with pytest.raises(error):
        parse_public(data)


def test_an_rsa_public_area_is_read() -> None:
    public = parse_public(rsa_public())
    assert (public.symmetric.key_bits, len(public.policy), len(public.name)) == (128, 32, 34)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ({"kind": 0x8018, "magic": 0xFF544348}, b""),
        ({"kind": 0x8017}, b""),
        ({"kind": 0x8018}, struct.pack(">IHB", 1, 0x0004, 3) + bytes(3) + bytes(2)),  # SHA-1
        ({"kind": 0x8018}, struct.pack(">I", 0)),
        ({"kind": 0x8018}, struct.pack(">I", 2**32 - 1)),
    ],
)
def test_other_statements_are_no_quote(head: dict[str, Any], tail: bytes) -> None:
    with pytest.raises(AttestationError):
        parse_quote(attest_head(extra_data=bytes(32), clock=LAST, **head) + tail)


PARSERS: tuple[Callable[[bytes], Any], ...] = (
    *(parse_public, parse_quote, parse_certify),
    lambda data: tpm2b_open(data, "x"),
)


REAL = (
    ecc_public(Forger().ak.public_key()),
    rsa_public(),
    quote([8], bytes(32), extra_data=bytes(32), clock=LAST),
    attest_head(0x8017, bytes(32), LAST) + struct.pack(">H", 34) + bytes(34) + struct.pack(">H", 34) + bytes(34),
)


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(parse: Callable[[bytes], Any], data: bytes) -> None:
    for prefix in (b"", *(real[:6] for real in REAL)):
        try:
            parse(prefix + data)
        except AttestationError as error:
            assert str(error)


@pytest.mark.parametrize("parse", PARSERS)
@given(real=st.sampled_from(REAL), at=st.integers(0, 400), new=st.binary(min_size=1, max_size=4), cut=st.integers(0, 9))
def test_altered_structures_raise_nothing_else(
    parse: Callable[[bytes], Any], real: bytes, at: int, new: bytes, cut: int
) -> None:
    data = real[:at] + new + real[at + len(new) :]
    try:
        parse(data[: len(data) - cut])
    except AttestationError as error:
        assert str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


MEMBERS = st.sampled_from(("quote", "signature", "pcrs", "claims", "event_log"))


@settings(max_examples=200)
@given(change=st.dictionaries(MEMBERS, JSON, max_size=3), claims=st.none() | JSON, manifest=st.none() | JSON)
def test_whatever_a_service_answers_is_judged(change: dict[str, Any], claims: Any, manifest: Any) -> None:
    forger = Forger()
    answer = forger.answer(nonce().value) | change
    if claims is not None:
        answer["claims"] = json.dumps(claims)
    text = forger.manifest_text if manifest is None else json.dumps(manifest)
    steps = judged(forger, answer=answer, manifest=SignedManifest(text, b"no signature"))
    assert [step.name for step in steps] == list(STEPS)
    assert not accepted(steps)
    assert all(text.isprintable() for step in steps for text in (step.expected, step.found, step.note))


@pytest.mark.parametrize(
    "change",
    [
        {"claims": " " * 5_000},
        {"event_log": ["x" * 30_000]},
        {"quote": b64(bytes(5_000))},
        {"signature": b64(bytes(300))},
        {"pcrs": {str(number): b64(bytes(32)) for number in range(25)}},
    ],
)
def test_evidence_has_a_size(change: dict[str, Any]) -> None:
    answer = Forger().answer(nonce().value)
    Evidence.parse(answer)
    with pytest.raises(AttestationError):
        Evidence.parse(answer | change)


def test_claims_name_a_member_once(forger: Forger) -> None:
    """Another reader of what was signed would take the other one."""
    answer = forger.answer(nonce().value)
    answer["claims"] = answer["claims"].replace("{", '{"integrity": "failed", ', 1)
    assert failed(judged(forger, answer=answer))[0] == "format"


@given(answer=st.dictionaries(MEMBERS, JSON, max_size=5))
def test_evidence_of_any_form(answer: dict[str, Any]) -> None:
    with pytest.raises(AttestationError):
        _ = Evidence.parse(answer).claims
