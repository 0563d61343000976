"""The verifier of attestations, step by step: what is in order is accepted, and whatever is not names its step."""

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tpm.verifier.forger import (
    FILES,
    FIRST,
    NOW,
    Forger,
    attest_head,
    b64,
    ecc_public,
    failed,
    held,
    judged,
    nonce,
    quote,
)
from tpm.verifier.clock import compare
from tpm.verifier.errors import AttestationError, MalformedError, UnsupportedError
from tpm.verifier.evidence import Evidence, SignedManifest
from tpm.verifier.steps import accepted, reason
from tpm.verifier.structures import Clock, parse_certify, parse_public, parse_quote, tpm2b_open

STEPS = (
    *("nonce", "format", "signature", "binding", "selection", "pcr_digest", "event_log_hash", "replay"),
    *(
        "manifest_signature",
        "manifest_digest",
        "events",
        "release",
        "host_pcrs",
        "clock",
        "firmware",
        "audit",
        "audit_kept",
        "integrity",
    ),
)


@pytest.fixture(scope="module")
def forger() -> Forger:
    return Forger(host_pcrs={0: b"\x01" * 32, 7: b"\x07" * 32})


def test_what_is_in_order_is_accepted(forger: Forger) -> None:
    steps = judged(forger)
    assert [(step.number, step.name) for step in steps] == list(enumerate(STEPS, start=1))
    assert accepted(steps), reason(steps)
    assert all(step.expected and step.found for step in steps)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"used_at": NOW - timedelta(seconds=1)}, "replayed"),
        ({"issued_at": NOW - timedelta(seconds=60.5)}, "late"),
        ({"issued_at": NOW + timedelta(seconds=5)}, "late"),
        ({"service": "other"}, "another service's: issued for other"),
    ],
)
def test_a_nonce_is_used_once_in_time_by_its_service(forger: Forger, other: dict[str, Any], word: str) -> None:
    steps = judged(forger, nonce=nonce(**other))
    assert failed(steps) == ["nonce"]
    assert word in steps[0].found


def test_a_nonce_that_was_never_issued(forger: Forger) -> None:
    steps = judged(forger, nonce=None)
    assert failed(steps) == ["nonce"]
    assert not accepted(steps)


def altered(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def alter(answer: dict[str, Any]) -> None:
        answer[name] = change(answer[name])

    return alter


def at_byte(position: int) -> Callable[[str], str]:
    def flip(text: str) -> str:
        data = bytearray(base64.b64decode(text))
        data[position] ^= 1
        return b64(bytes(data))

    return flip


def claim(name: str, value: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | {name: value})


@pytest.mark.parametrize(
    ("alter", "step"),
    [
        (altered("quote", at_byte(0)), "format"),
        (altered("quote", at_byte(5)), "format"),
        (altered("quote", lambda text: b64(base64.b64decode(text)[:-1])), "format"),
        (altered("quote", lambda text: b64(base64.b64decode(text) + b"\0")), "format"),
        (altered("quote", lambda text: "no base64"), "format"),
        (altered("claims", lambda text: "no JSON"), "format"),
        (altered("claims", claim("integrity", "fine")), "format"),
        (altered("claims", claim("audit", {"sequence": -1, "hash": "ab" * 32})), "format"),
        (altered("pcrs", lambda pcrs: {"8": "AA=="}), "format"),
        (altered("event_log", lambda log: "text"), "format"),
        (lambda answer: answer.update(more=1), "format"),
        (lambda answer: answer.pop("quote"), "format"),
        (altered("quote", at_byte(-1)), "signature"),
        (altered("signature", at_byte(-1)), "signature"),
        (altered("signature", lambda text: ""), "signature"),
        (altered("claims", lambda text: text + " "), "binding"),
        (altered("claims", claim("integrity", "unmeasured")), "binding"),
        (altered("pcrs", lambda pcrs: {**pcrs, "8": b64(bytes(32))}), "pcr_digest"),
        (altered("pcrs", lambda pcrs: {"8": pcrs["8"]}), "selection"),
        (altered("event_log", lambda log: [*log, "sha256:00 0644 /app/z"]), "event_log_hash"),
        (altered("event_log", lambda log: log[1:]), "event_log_hash"),
        (altered("event_log", lambda log: log[::-1]), "event_log_hash"),
        (altered("event_log", lambda log: [log[0].replace("0644", "0755"), *log[1:]]), "event_log_hash"),
        (altered("event_log", lambda log: ["\ud800", *log]), "event_log_hash"),
    ],
)
def test_what_is_altered_on_its_way_names_its_step(
    forger: Forger, alter: Callable[[dict[str, Any]], None], step: str
) -> None:
    answer = forger.answer(nonce().value)
    alter(answer)
    assert failed(judged(forger, answer=answer))[0] == step


def test_evidence_for_another_nonce_is_not_bound_to_ours(forger: Forger) -> None:
    assert failed(judged(forger, answer=forger.answer(b"o" * 32))) == ["binding"]


def test_the_quote_of_another_tpm(forger: Forger) -> None:
    other = replace(forger, ak=ec.generate_private_key(ec.SECP256R1()))
    assert failed(judged(other, pinned=forger.pinned())) == ["signature"]


def test_other_pcrs_than_asked_for(forger: Forger) -> None:
    more = replace(forger, host_pcrs={**forger.host_pcrs, 9: bytes(32)})
    assert failed(judged(more, pinned=forger.pinned())) == ["selection"]


def test_pcr_values_that_are_not_the_quoted_ones(forger: Forger) -> None:
    answer = forger.answer(nonce().value)
    answer["pcrs"]["7"] = b64(b"\x09" * 32)
    assert failed(judged(forger, answer=answer)) == ["pcr_digest", "host_pcrs"]


def test_host_pcrs_other_than_pinned(forger: Forger) -> None:
    steps = judged(forger, pinned=forger.pinned(host_pcrs={**forger.host_pcrs, 7: b"\x08" * 32}))
    assert failed(steps) == ["host_pcrs"]
    assert "PCR 7" in reason(steps)


EVENTS = Forger().events


@pytest.mark.parametrize(
    ("log", "word"),
    [
        ((EVENTS[0], EVENTS[1].replace("0644", "0755"), *EVENTS[2:]), "changed: /app/b.py"),
        ((EVENTS[0], f"sha256:{'0' * 64} 0644 /app/b.py", *EVENTS[2:]), "changed: /app/b.py"),
        ((EVENTS[0], "link:/tmp/x /app/b.py", *EVENTS[2:]), "changed: /app/b.py"),
        ((EVENTS[0], "other:fifo /app/b.py", *EVENTS[2:]), "changed: /app/b.py"),
        ((*EVENTS[:2], *EVENTS[3:]), "removed: /app/c.py"),
        ((*EVENTS[:3], f"sha256:{'0' * 64} 0644 /app/new one.py", EVENTS[3]), "added: /app/new one.py"),
        ((*EVENTS[:3], "link:elsewhere /lib/d e.so"), "changed: /lib/d e.so"),
        ((*EVENTS, "drift:changed /app/a.py"), "changed while running: /app/a.py"),
        ((*EVENTS, EVENTS[0]), "in another order or more than once"),
        ((EVENTS[1], EVENTS[0], *EVENTS[2:]), "in another order"),
        ((), "removed: /app/a.py"),
    ],
)
def test_measured_files_that_are_not_the_released_ones(forger: Forger, log: tuple[str, ...], word: str) -> None:
    """The TPM is honest, and so is the log: it is another release that runs."""
    steps = judged(replace(forger, log=log))
    assert failed(steps) == ["events"]
    assert word in reason(steps)


def test_a_log_that_the_pcr_does_not_bear_out(forger: Forger) -> None:
    """The service claims the released files, but its TPM measured others."""
    lying = replace(forger, log=("sha256:00 0644 /app/evil.py",))
    answer = lying.answer(nonce().value)
    true_log = "\n".join(forger.events).encode()
    claims = forger.claims()
    answer.update(event_log=list(forger.events), claims=claims)
    pcrs = [base64.b64decode(answer["pcrs"][name]) for name in ("0", "7", "8")]
    extra_data = hashlib.sha256(nonce().value + claims.encode()).digest()
    digest = hashlib.sha256(b"".join(pcrs)).digest()
    statement = quote([0, 7, 8], digest, extra_data=extra_data, clock=forger.clock)
    answer.update(quote=b64(statement), signature=b64(forger.sign(statement)))
    assert hashlib.sha256(true_log).hexdigest() in claims
    assert failed(judged(forger, answer=answer)) == ["replay"]


def test_another_pcr_measured_than_pinned(forger: Forger) -> None:
    assert failed(judged(replace(forger, claimed={"measured_pcr": 7}))) == ["replay"]


def test_another_release_key(forger: Forger) -> None:
    other = replace(forger, release_key=ec.generate_private_key(ec.SECP256R1()))
    assert failed(judged(other, pinned=forger.pinned())) == ["manifest_signature"]


def test_no_manifest(forger: Forger) -> None:
    steps = judged(forger, manifest=None)
    assert failed(steps) == ["manifest_signature"]
    assert [step.name for step in steps if step.outcome == "undecided"] == ["manifest_digest", "events", "release"]


def test_an_altered_manifest(forger: Forger) -> None:
    signed = forger.manifest()
    other = SignedManifest(signed.text.replace("/app/c.py", "/app/x.py"), signed.signature)
    assert failed(judged(forger, manifest=other)) == ["manifest_signature", "manifest_digest", "events"]


def test_the_signed_manifest_of_an_older_release(forger: Forger) -> None:
    """Rightly signed, but not what runs."""
    older = replace(forger, files=("/app/a.py", FILES[-1])).manifest()
    assert failed(judged(forger, manifest=older)) == ["manifest_digest", "events"]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"format": "evportal-manifest/2", "version": "", "created_at": "", "roots": [], "files": []}',
        '{"format": "evportal-manifest/1", "version": "", "created_at": "", "roots": [], "files": [{"path": "a"}]}',
        '{"format": "evportal-manifest/1", "format": "evportal-manifest/1"}',
    ],
)
def test_signed_nonsense_is_no_manifest(forger: Forger, text: str) -> None:
    from cryptography.hazmat.primitives.hashes import SHA256

    signed = SignedManifest(text, forger.release_key.sign(text.encode(), ec.ECDSA(SHA256())))
    claimed = replace(forger, claimed={"manifest_digest": signed.digest})
    assert failed(judged(claimed, manifest=signed)) == ["manifest_signature", "events"]


@pytest.mark.parametrize("integrity", ["failed", "unmeasured"])
def test_a_service_that_says_itself_that_it_is_not_in_order(forger: Forger, integrity: str) -> None:
    assert failed(judged(replace(forger, integrity=integrity))) == ["integrity"]


def test_a_service_registered_as_unmeasured_must_say_so(forger: Forger) -> None:
    honest = replace(forger, integrity="unmeasured", claimed={"measured_pcr": None, "manifest_digest": None}, log=())
    pinned = forger.pinned(release_key_pem="")
    steps = judged(honest, pinned=pinned, manifest=None)
    assert accepted(steps), reason(steps)
    assert steps[7].note == "registered as unmeasured"
    assert failed(judged(forger, pinned=pinned)) == ["integrity"]


# --- against the last accepted evidence


LATER = replace(FIRST, clock_ms=FIRST.clock_ms + 300_000)


def after(forger: Forger, **other: Any) -> list[str]:
    """What fails, five minutes after the forger's evidence, of one that says something else."""
    return failed(judged(replace(forger, **{"clock": LATER, **other}), pinned=forger.pinned(last=forger.accepted())))


def test_later_evidence_is_accepted(forger: Forger) -> None:
    assert after(forger) == []


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        ((11, "ab" * 32), ["audit"]),
        ((12, "cd" * 32), ["audit"]),
        ((0, "00" * 32), ["audit"]),
        ((12, "ab" * 32), []),
        ((13, "cd" * 32), []),
    ],
)
def test_the_log_of_key_uses_never_goes_back(forger: Forger, audit: tuple[int, str], expected: list[str]) -> None:
    assert after(forger, audit=audit) == expected


@pytest.mark.parametrize(
    ("since", "word"),
    [
        ({"hash": "cd" * 32}, "cut or written anew behind an entry that was attested"),
        ({"hash": None}, "not in the log any more"),
        ({"hash": None, "leads_on": False}, "not in the log any more"),
        ({"sequence": 11}, "cut or written anew"),
        ({"leads_on": False}, "damaged or written anew behind this entry"),
    ],
)
def test_the_log_still_holds_the_entry_attested_last(forger: Forger, since: dict[str, Any], word: str) -> None:
    """It has gone on to a higher number each time; what is behind the attested entry is another matter."""
    pinned = forger.pinned(last=forger.accepted())
    said = held(forger.accepted(), **since)
    steps = judged(replace(forger, audit=(31, "ef" * 32), since=said, clock=LATER), pinned=pinned)
    assert failed(steps) == ["audit_kept"]
    assert word in reason(steps)


def test_a_service_that_is_too_old_to_say_what_its_log_holds(forger: Forger) -> None:
    answer = replace(forger, clock=LATER).answer(nonce().value)
    steps = judged(forger, answer=answer, pinned=forger.pinned(last=forger.accepted()))
    assert failed(steps) == ["audit_kept"]
    assert "older than this portal, update it" in reason(steps)


@pytest.mark.parametrize("odd", [{"sequence": "12"}, {"hash": 7}, {"hash": "AB" * 32}, {"leads_on": 1}, {"more": 1}])
def test_what_is_said_of_the_log_is_read_strictly(forger: Forger, odd: dict[str, Any]) -> None:
    last = forger.accepted()
    steps = judged(replace(forger, clock=LATER, since=held(last, **odd)), pinned=forger.pinned(last=last))
    assert failed(steps)[0] == "format"


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        ("2026-02-28T23:59:59Z", ["release"]),
        ("2026-03-01T00:00:00+00:00", []),
        ("2026-03-01T00:00:00.5Z", []),
        ("2026-03-01T00:00:00+01:00", ["manifest_signature", "events"]),
        ("yesterday", ["manifest_signature", "events"]),
    ],
)
def test_an_older_release_is_refused(forger: Forger, created_at: str, expected: list[str]) -> None:
    assert after(forger, created_at=created_at) == expected


def test_other_firmware_is_noted(forger: Forger) -> None:
    pinned = forger.pinned(last=replace(forger.accepted(), firmware_version=6, clock=Clock(0, 0, 0, True)))
    steps = judged(forger, pinned=pinned)
    assert accepted(steps)
    assert "changed" in next(step.note for step in steps if step.name == "firmware")


LAST = Clock(1_000_000, 10, 2, True)
MINUTES = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (Clock(1_300_000, 10, 2, True), True),
        (Clock(1_298_000, 10, 2, False), True),  # a little slower than ours
        (Clock(1_000_000, 10, 2, True), False),  # it stood
        (Clock(1_200_000, 10, 2, True), False),  # put back, and run on for a while
        (Clock(999_999, 10, 2, True), False),
        (Clock(1_300_000, 9, 2, True), False),  # an older state
        (Clock(9_000_000, 9, 0, True), False),
        (Clock(1_000_001, 10, 3, True), True),  # it slept
        (Clock(999_999, 10, 3, True), False),
        (Clock(1_300_000, 10, 1, True), False),
    ],
)
def test_the_clock_of_a_software_tpm_never_goes_back(found: Clock, good: bool) -> None:
    assert compare(LAST, found, power_on_ms=0, passed=MINUTES, hardware=False).good is good


@pytest.mark.parametrize(
    ("power_on_ms", "found", "good"),
    [
        (1_000_000, Clock(1_000_100, 11, 0, True), True),  # switched off for five minutes
        (1_000_050, Clock(1_200_000, 12, 0, False), True),
        (999_999, Clock(1_000_100, 11, 0, True), False),  # an older state, which has run on for longer since
        (999_999, Clock(9_000_000, 12, 0, False), False),
        (1_000_100, Clock(999_999, 11, 0, True), False),  # the claim contradicts the quote
        (1_000_000, Clock(1_000_100, 9, 0, True), False),
    ],
)
def test_a_software_tpm_starts_where_it_was_attested_or_later(power_on_ms: int, found: Clock, good: bool) -> None:
    assert compare(LAST, found, power_on_ms=power_on_ms, passed=MINUTES, hardware=False).good is good


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (Clock(1_210_000, 10, 2, True), True),  # an inexact chip
        (Clock(1_190_000, 10, 2, True), False),
        (Clock(1_000_000 - 2**19, 11, 0, False), True),  # lost at a power cut
        (Clock(1_000_000 - 2**19, 11, 0, True), False),
        (Clock(0, 11, 0, False), True),
        (Clock(5_000_000, 9, 0, False), False),
    ],
)
def test_the_clock_of_a_chip_may_lose_what_it_had_not_saved(found: Clock, good: bool) -> None:
    assert compare(LAST, found, power_on_ms=found.clock_ms, passed=MINUTES, hardware=True).good is good


def test_counters_that_the_tpm_has_shifted_may_run_over() -> None:
    last, zero = Clock(1_000, 2**32 - 1, 2**32 - 1, True), Clock(1_000, 0, 0, True)
    assert compare(last, Clock(2_000, 0, 5, True), power_on_ms=1_500, passed=MINUTES, hardware=False).good
    back = Clock(9_000, 2**32 - 1, 0, True)
    assert not compare(zero, back, power_on_ms=8_000, passed=MINUTES, hardware=False).good


# --- strictness


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
