"""The canonical record, its digest, and the sealed copy: pure, so property tests."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import record
from ledger.errors import RecordError
from tests.conftest import SIGNED

KEY, OTHER, DIRECTORY, KEY_ID = b"k" * 32, b"o" * 32, b"d" * 32, b"i" * 16
numbers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    numbers | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
records = st.dictionaries(st.text(), values, max_size=6)


def seal(ledger_id: int, canonical: bytes) -> bytes:
    return record.seal(
        ledger_id=ledger_id, salt=b"s" * 32, canonical_record=canonical, key_id=KEY_ID, key=KEY, directory=DIRECTORY
    )


@given(records)
def test_canonical_is_the_same_whatever_the_order(fields: dict[str, object]) -> None:
    turned = dict(reversed(fields.items()))
    assert record.canonical(fields) == record.canonical(turned)
    assert json.loads(record.canonical(fields)) == fields


@pytest.mark.parametrize("value", [1.5, True, None, 2**53, -(2**53), b"x", float("nan"), {"deep": [None]}])
def test_canonical_refuses_what_two_readers_may_read_differently(value: object) -> None:
    with pytest.raises(RecordError):
        record.canonical({"field": value})


@given(fields=records)
@example(fields={"\ue000": "1", "\U0001f600": "2"})  # the first one is the last by UTF-16, as RFC 8785 orders
@example(fields={"a": '\u2028\x7f\x1f"\\/', "b": 2**53 - 1, "c": {"é": [-(2**53) + 1, "𝔘"]}})
def test_canonical_is_rfc_8785_by_whichever_encoder(fields: dict[str, Any]) -> None:
    assert record.canonical(fields) == rfc8785.dumps(fields)


def test_what_meters_sign_and_lines_of_costs_make_a_record_of_the_second_format() -> None:
    """Without any of them it is one of the first, to the last byte."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    who: Any = ("7", "T1", "CP-1", 1, 1, {"id": "S1"}, None, None)
    what: Any = ("COMPLETED", at, at, 1, 2, 1, 0, "EUR", {}, "Local", "OCPP", [], "", False, None)
    row = record.Recorded(*who, *what)
    assert record.canonical(record.fields_of(row)) == (
        b'{"connector_id":1,"cost_minor":0,"currency":"EUR","energy_wh":1,"evse_id":1,"format":"evportal-session/1",'
        b'"id":"7","location":{"id":"S1"},"meter_start_wh":1,"meter_stop_wh":2,"source":"OCPP",'
        b'"started_at":"2026-03-01T00:00:00Z","station":"CP-1","status":"COMPLETED","stop_reason":"Local",'
        b'"stopped_at":"2026-03-01T00:00:00Z","transaction_id":"T1"}'
    )
    one: Any
    for name, one in SIGNED.items():
        fields = record.fields_of(row._replace(**{name: one}))
        assert (fields["format"], fields[name]) == ("evportal-session/2", one)
        assert not fields.keys() & {*SIGNED} - {name} and record.canonical(fields)


def test_canonical_refuses_lone_surrogates() -> None:
    with pytest.raises(RecordError):
        record.canonical({"field": "\ud800"})


@given(records, st.integers(1, 2**64 - 1))
def test_a_sealed_copy_opens_to_what_was_sealed(fields: dict[str, object], ledger_id: int) -> None:
    canonical = record.canonical(fields)
    sealed = seal(ledger_id, canonical)
    assert record.key_id_of(ledger_id=ledger_id, sealed=sealed, directory=DIRECTORY) == KEY_ID
    assert record.open_sealed(ledger_id=ledger_id, sealed=sealed, key=KEY) == record.Opened(b"s" * 32, canonical)


def test_no_byte_of_a_sealed_copy_can_be_changed() -> None:
    sealed = seal(7, b'{"a":1}')
    for place in range(len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(RecordError):
            record.key_id_of(ledger_id=7, sealed=altered, directory=DIRECTORY)
            record.open_sealed(ledger_id=7, sealed=altered, key=KEY)


@pytest.mark.parametrize("length", [0, 1, 12, 44])
def test_a_cut_copy_is_refused(length: int) -> None:
    with pytest.raises(RecordError, match="expected version 1"):
        record.open_sealed(ledger_id=7, sealed=seal(7, b"{}")[:length], key=KEY)


def test_another_key_or_another_id_does_not_open_it() -> None:
    sealed = seal(7, b'{"a":1}')
    for ledger_id, key in ((7, OTHER), (8, KEY)):
        with pytest.raises(RecordError, match="not sealed under this data key"):
            record.open_sealed(ledger_id=ledger_id, sealed=sealed, key=key)
    with pytest.raises(RecordError, match="directory"):
        record.key_id_of(ledger_id=8, sealed=sealed, directory=DIRECTORY)


def test_the_same_record_never_seals_to_the_same_bytes() -> None:
    assert seal(7, b"{}") != seal(7, b"{}")


def test_the_digest_needs_its_whole_salt() -> None:
    with pytest.raises(RecordError, match="expected 32 bytes, got 31"):
        record.digest(b"s" * 31, b"{}")


def test_the_mark_of_a_credit_is_of_salt_and_digest_of_what_it_takes_back() -> None:
    salt, digest = bytes(range(32)), bytes(range(32, 64))
    assert record.credit_mark(salt, digest) == hashlib.sha256(b"evportal-credit/1" + salt + digest).digest()
    for wrong in [(salt[:31], digest), (salt, digest + b"\0")]:
        with pytest.raises(RecordError, match="expected 32 and 32 bytes"):
            record.credit_mark(*wrong)
