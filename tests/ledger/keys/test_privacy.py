"""Nothing personal is on the chain in the clear: every byte of every block is searched for every field."""

import struct
from collections.abc import Callable

import httpx2
import pytest

from ledger import record
from ledger.models import LedgerEntry
from tests.conftest import TARIFF, CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def needles(entry: LedgerEntry) -> dict[str, bytes]:
    """Each recorded field as text, and the numbers also as the eight bytes that a contract would store."""
    session = entry.session
    assert session is not None and session.id_token is not None and session.customer is not None
    fields = record.record_of(session)
    found: dict[str, bytes] = {}
    for name, value in {**fields, **fields["location"], **fields["tariff"], **fields["id_token"]}.items():
        if isinstance(value, str) and len(value) >= 4:
            found[name] = value.encode()
        elif isinstance(value, int) and value > 1_000_000:  # small numbers stand in any block by chance
            found[name] = struct.pack("<q", value)
    found["uid bytes"] = bytes.fromhex(session.id_token.uid)
    found["uuid bytes"] = session.pk.bytes
    found["username"] = session.customer.username.encode()
    found["salt"] = bytes(entry.salt or b"")
    found["record"] = bytes(entry.canonical or b"")[:40]
    found["key id"] = bytes(entry.data_key.key_id)
    return found


def test_no_field_of_any_session_is_in_any_block(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(5, energy_wh=12_345_678, cost_minor=9_876_543, tariff=TARIFF)
    record_all()
    log = (ledger_account.node.data_dir / "blocks" / "blocks.log").read_bytes()
    entries = list(LedgerEntry.objects.select_related("session__id_token", "session__customer", "data_key"))
    assert all(bytes(entry.digest) in log for entry in entries), "the search sees what is there"
    state = httpx2.post(
        f"{ledger_account.node.url}/v1/chain/get_table_rows",
        json={"code": ledger_account.name, "scope": ledger_account.name, "table": "records", "json": False},
    ).content
    for entry in entries:
        for name, needle in needles(entry).items():
            assert needle not in log, f"{name} of entry {entry.pk} is on the chain in the clear"
            assert needle.hex().encode() not in state, f"{name} of entry {entry.pk} is in the table"


def test_two_copies_of_one_token_cannot_be_tied_together(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    from ledger.chain.records import records_in
    from ledger.models import ChainTransaction

    close_sessions(2)
    record_all()
    row = ChainTransaction.objects.get()
    block = ledger_account.chain.block(row.block_num or 0)
    one, other = (sealed for _, _, sealed in records_in(block.transactions[row.transaction_id or ""], row_account()))
    common = {one[i : i + 6] for i in range(len(one) - 6)} & {other[i : i + 6] for i in range(len(other) - 6)}
    assert not common


def row_account() -> str:
    from django.conf import settings

    return str(settings.LEDGER_ACCOUNT)
