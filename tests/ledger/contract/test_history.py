"""The contract is taken away, used, and put back (P15): the blocks tell."""

from pathlib import Path

import pytest

from dev.chain.compiler import compile_contract
from dev.chain.nodeos import Nodeos
from dev.chain.setup import CONTRACT_DIR, set_code
from ledger.chain.history import HistoryFinding, history_findings
from tests.ledger.contract.conftest import FIRST_CONTRACT
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, digest_of, make_records, pack_records
from tests.ledger.contract.test_reading import chain_of

# What an operator with the active key might put on the account for a moment: `erase` and `insert` an id's row.
EVIL = """
using u32 = unsigned int; using u64 = unsigned long long; using i32 = int;
#define IN(name) extern "C" __attribute__((import_module("env"), import_name(#name)))
IN(read_action_data) u32 read_action_data(void*, u32);
IN(db_find_i64) i32 db_find_i64(u64, u64, u64, u64);
IN(db_remove_i64) void db_remove_i64(i32);
IN(db_store_i64) i32 db_store_i64(u64, u64, u64, u64, const void*, u32);
IN(db_idx256_find_primary) i32 db_idx256_find_primary(u64, u64, u64, void*, u32, u64);
IN(db_idx256_remove) void db_idx256_remove(i32);
IN(db_idx256_store) i32 db_idx256_store(u64, u64, u64, u64, const void*, u32);
extern "C" __attribute__((export_name("apply"))) void apply(u64 self, u64, u64 action) {
    struct { u64 id; unsigned char digest[32]; } row = {};
    alignas(16) unsigned char key[32] = {};
    read_action_data(&row, 8);
    if (action == ERASE) {
        db_idx256_remove(db_idx256_find_primary(self, self, RECORDS, key, 2, row.id));
        db_remove_i64(db_find_i64(self, self, RECORDS, row.id));
    } else {
        db_store_i64(self, RECORDS, self, row.id, &row, 40);
        db_idx256_store(self, RECORDS, self, row.id, key, 2);
    }
}
"""


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from dev.chain.transactions import pack_name

    directory: Path = tmp_path_factory.mktemp("evil")
    text = EVIL
    for name in ("erase", "records"):
        text = text.replace(name.upper(), f"{int.from_bytes(pack_name(name), 'little')}ULL")
    (directory / "evil.cpp").write_text(text)
    return compile_contract(directory / "evil.cpp")


def swapped(ledger: LedgerAccount, evil: bytes, action: str, ledger_id: int) -> None:
    """Another contract, one action of it, and the published one again: its hash is right as before."""
    ledger.push(set_code(ledger.name, evil), ledger.active_key)
    ledger.push(ledger.action(action, ledger_id.to_bytes(8, "little"), "active"), ledger.active_key)
    ledger.push(set_code(ledger.name, (CONTRACT_DIR / "evledger.wasm").read_bytes()), ledger.active_key)


def found(ledger: LedgerAccount, node: Nodeos, *, every_block: bool = False) -> list[HistoryFinding]:
    node.wait_for_block(node.info()["head_block_num"] + 1)
    first = node.info()["head_block_num"] - 400 if every_block else 2
    return list(history_findings(chain_of(ledger, node), first_block=max(2, first), every_block=every_block))


def test_a_sound_history_has_no_findings_also_after_a_prune(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    heard: list[int] = []
    ledger.record(*make_records(1, 5))
    ledger.record_naming(Rec(2000, "far away"), [])
    ledger.prune(2, 10)
    contract_node.wait_for_block(contract_node.info()["head_block_num"] + 1)
    assert list(history_findings(chain_of(ledger, contract_node), heard.append)) == []
    assert sum(heard) == 6
    assert found(ledger, contract_node, every_block=True) == []


def test_rows_that_have_only_just_been_recorded_are_no_finding(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    ledger.record(*make_records(1, 3))
    assert list(history_findings(chain_of(ledger, contract_node))) == []


@pytest.mark.parametrize("every_block", [False, True])
def test_an_id_recorded_a_second_time_is_found(
    ledger: LedgerAccount, contract_node: Nodeos, evil: bytes, every_block: bool
) -> None:
    ledger.record(*make_records(1, 3))
    swapped(ledger, evil, "erase", 2)
    ledger.record(Rec(2, "ten times the energy"))
    assert ledger.ids() == [1, 2, 3], "the table looks as ever"
    (finding,) = found(ledger, contract_node, every_block=every_block)
    assert (finding.kind, finding.ledger_id) == ("different", 2)
    assert digest_of("session 2").hex() in finding.message and "a second time" in finding.message


def test_a_row_that_vanished_without_a_prune_is_found(
    ledger: LedgerAccount, contract_node: Nodeos, evil: bytes
) -> None:
    ledger.record(*make_records(1, 3))
    swapped(ledger, evil, "erase", 2)
    (finding,) = found(ledger, contract_node)
    assert (finding.kind, finding.ledger_id) == ("missing", 2)


def test_a_row_that_no_block_recorded_is_found(ledger: LedgerAccount, contract_node: Nodeos, evil: bytes) -> None:
    ledger.record(*make_records(1, 3))
    swapped(ledger, evil, "insert", 4)
    (finding,) = found(ledger, contract_node)
    assert (finding.kind, finding.ledger_id) == ("unknown", 4)


def test_a_row_that_says_something_else_than_its_block_is_found(
    ledger: LedgerAccount, contract_node: Nodeos, evil: bytes
) -> None:
    ledger.record(*make_records(1, 3))
    swapped(ledger, evil, "erase", 2)
    swapped(ledger, evil, "insert", 2)
    (finding,) = found(ledger, contract_node)
    assert (finding.kind, finding.ledger_id) == ("different", 2)
    assert finding.message.endswith(f"the row holds {'00' * 32}")


def test_the_time_of_the_first_contract_is_looked_at_too(
    empty: LedgerAccount, contract_node: Nodeos, evil: bytes
) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    empty.record_packed(pack_records(make_records(1, 3)))
    empty.bootstrap()
    swapped(empty, evil, "erase", 2)
    empty.record(Rec(2, "another"))
    (finding,) = found(empty, contract_node)
    assert (finding.kind, finding.ledger_id) == ("different", 2)
