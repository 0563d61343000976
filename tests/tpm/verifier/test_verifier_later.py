"""Evidence against the last that was accepted: the log of key uses, the release and the TPM's clock."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.tpm.verifier.forger import FIRST, Forger, failed, held, judged, nonce
from tpm.verifier.clock import compare
from tpm.verifier.steps import accepted, reason
from tpm.verifier.structures import Clock

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
