"""The verifier of attestations, step by step: what is in order is accepted, and whatever is not names its step."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.tpm.verifier.forger import FILES, NOW, STEPS, Forger, b64, failed, judged, nonce, quote
from tpm.verifier.evidence import SignedManifest
from tpm.verifier.steps import accepted, reason


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
