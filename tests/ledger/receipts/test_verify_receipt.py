"""Both verifiers, the portal's and the one-file script, against two real nodes: they agree on everything."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from dev.chain.keys import new_keypair
from dev.common.processes import free_port
from ledger.receipts import receipt
from tests.ledger.chain.proxy import Answer, Proxy, altered, cut_before, late, says
from tests.ledger.receipts.receipt_chain import (
    ACCOUNT,
    LEDGER_ID,
    RECORD,
    SCRIPT,
    STEPS,
    Recorded,
    Verification,
    Verifier,
    verifier,
)

__all__ = ["verifier"]  # fixture
Json = dict[str, Any]


def check(verifier: Verifier, made: Recorded, content: Json | str | None = None, **changed: Any) -> Verification:
    text = content if isinstance(content, str) else receipt.dumps(made.receipt if content is None else content)
    nodes = changed.pop("nodes", made.nodes)
    return verifier(text, nodes, **{"key": made.key, "chain_id": made.chain_id, **changed})


# --- a true receipt


def test_a_true_receipt_is_verified(verifier: Verifier, recorded: Recorded) -> None:
    found = check(verifier, recorded)
    assert found.verdict == "VERIFIED", found.text
    assert "producer" in found.text and "operator" in found.text  # a chain with one producer


def test_it_is_verified_without_a_pinned_chain_id_and_says_so(recorded: Recorded) -> None:
    assert run(recorded).returncode == 0
    unpinned = run(recorded, chain_id=None)
    assert unpinned.returncode == 0 and "Without --chain-id" in unpinned.stdout


def test_a_pruned_row_is_no_fault(verifier: Verifier, recorded: Recorded) -> None:
    found = check(verifier, recorded, recorded.pruned)
    assert found.verdict == "VERIFIED", found.text
    assert "absent" in found.text


# --- every field tampered


def other_char(char: str) -> str:
    """Another character that could stand there as well."""
    if char in "0123456789abcdef":
        return "1" if char == "0" else "0"
    return "B" if char == "A" else "A"


def texts(text: str) -> Iterator[str]:
    """Every single character changed, one left out, one added, and nothing left."""
    for place, char in enumerate(text):
        yield text[:place] + other_char(char) + text[place + 1 :]
    yield from (text[1:], text[:-1], text + "0", " " + text, "")
    if text.upper() != text:
        yield text.upper()


def numbers(number: int) -> Iterator[int]:
    """Every single digit changed, and its neighbours."""
    sign, digits = (-1, str(-number)) if number < 0 else (1, str(number))
    for place, digit in enumerate(digits):
        yield sign * int(digits[:place] + str((int(digit) + 1) % 10) + digits[place + 1 :])
    yield from (number + 1, number - 1, -number)


def values(value: Any) -> Iterator[Any]:
    """Every change of one character somewhere in a JSON value, names of members included."""
    if isinstance(value, str):
        yield from texts(value)
    elif isinstance(value, int):
        yield from numbers(value)
    elif isinstance(value, list):
        yield from chain(([*value[:i], new, *value[i + 1 :]] for i, old in enumerate(value) for new in values(old)))
        yield [*value, "more"]
    else:
        for name in value:
            yield from ({**value, name: new} for new in values(value[name]))
            rest = {other: value[other] for other in value if other != name}
            yield from (rest, {**rest, name + "x": value[name]})


# The step that names each field's change: the first that fails. Later ones may fail with it.
STEP_OF_FIELD = {
    "record": 1,
    "salt": 1,
    "digest": 1,
    "chain_id": 2,
    "block_num": 4,
    "block_id": 4,
    "transaction_id": 7,
    "public_key": 8,
    "ledger_id": 9,
    "account": 2,
}
ONLY_ONE_VALUE = {"format", "signed_meter_values"}
NULL_OR_CERTIFICATION = {"attestation"}  # test_certification.py
NULL_OR_ID = {"credited_by"}  # tests/ledger/test_vectors.py


def test_every_field_is_looked_at(recorded: Recorded) -> None:
    assert set(recorded.receipt) == {*STEP_OF_FIELD, *ONLY_ONE_VALUE, *NULL_OR_CERTIFICATION, *NULL_OR_ID}


@pytest.mark.parametrize(("field", "step"), STEP_OF_FIELD.items())
def test_any_single_change_fails_with_its_step(
    verifier: Verifier, recorded: Recorded, field: str, step: int, remembered: tuple[str, ...]
) -> None:
    changes = [new for new in values(recorded.receipt[field]) if new != recorded.receipt[field]]
    assert len(changes) >= 4
    nodes = () if field in ("record", "salt") else remembered  # nobody need be asked for step 1
    for new in changes:
        found = check(verifier, recorded, {**recorded.receipt, field: new}, nodes=nodes)
        if field == "block_num" and not 0 < new < 1 << 32:
            assert found.verdict == "NOT VALID" and found.failed == (1,), new  # not a receipt
        else:
            assert found.verdict == "NOT VALID" and found.failed[0] == step, (new, found.text)


@pytest.mark.parametrize("field", [*STEP_OF_FIELD, *sorted(ONLY_ONE_VALUE), *NULL_OR_CERTIFICATION, *NULL_OR_ID])
@pytest.mark.parametrize("value", [None, True, 1.5, -1, 2**70, "x", "x" * 101, [], [[]], {}, {"x": None}])
def test_values_of_any_other_type_fail(verifier: Verifier, recorded: Recorded, field: str, value: Any) -> None:
    if value == recorded.receipt[field]:
        return
    found = check(verifier, recorded, {**recorded.receipt, field: value}, nodes=())
    assert found.verdict == "NOT VALID" or (field in ("ledger_id", "transaction_id") and value == "x")


def test_missing_and_additional_fields_fail(verifier: Verifier, recorded: Recorded) -> None:
    for field in recorded.receipt:
        short = {name: value for name, value in recorded.receipt.items() if name != field}
        assert check(verifier, recorded, short).failed == (1,)
    assert check(verifier, recorded, {**recorded.receipt, "energy_wh": 1}).failed == (1,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"receipt"',
        "{",
        "[" * 100_000,
        '{"record":' * 100_000,
        "9" * 10_000,
        "\ud800",
        "{" + " " * 2_000_000 + "}",
        '{"record": {"a": NaN}}',
    ],
)
def test_whatever_is_no_receipt_is_not_valid(verifier: Verifier, recorded: Recorded, text: str) -> None:
    assert check(verifier, recorded, text).verdict == "NOT VALID"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"energy_wh": 7780', '"energy_wh": 7780.0'),
        ('"energy_wh": 7780', '"energy_wh": 778e1'),
        ('"energy_wh": 7780', '"energy_wh": 1, "energy_wh": 7780'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": null'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": true'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": "\\ud800"'),
        ('"format": "evportal-receipt/2"', '"format": "evportal-receipt/2", "format": "evportal-receipt/2"'),
    ],
)
def test_other_spellings_of_the_same_json_fail(verifier: Verifier, recorded: Recorded, old: str, new: str) -> None:
    text = receipt.dumps(recorded.receipt)
    assert old in text
    assert check(verifier, recorded, text.replace(old, new)).failed == (1,)


def test_white_space_and_order_of_the_file_do_not_matter(verifier: Verifier, recorded: Recorded) -> None:
    turned = json.dumps(dict(reversed(recorded.receipt.items())), separators=(",", ":"))
    assert check(verifier, recorded, turned).verdict == "VERIFIED"


# --- what the verifier knows itself


def test_another_published_key_fails_step_8(verifier: Verifier, recorded: Recorded) -> None:
    assert check(verifier, recorded, key=new_keypair("R1").public).failed == (8,)
    own = {**recorded.receipt, "public_key": new_keypair("R1").public}
    assert check(verifier, recorded, own, key=own["public_key"]).failed == (8,)  # key and receipt agree, the chain not


def test_another_pinned_chain_fails_step_2(verifier: Verifier, recorded: Recorded) -> None:
    assert check(verifier, recorded, chain_id="0" * 64).failed == (2,)


def test_another_session_s_place_on_the_chain_fails(verifier: Verifier, recorded: Recorded) -> None:
    """The record of one session with the transaction of another."""
    places = ("transaction_id", "block_num", "block_id")
    mixed = {**recorded.receipt, **{name: recorded.pruned[name] for name in places}}
    assert check(verifier, recorded, mixed).failed == (9,)


# --- nodes that are few, silent or liars


def test_one_node_is_not_enough(verifier: Verifier, recorded: Recorded) -> None:
    url = recorded.nodes[0]
    for nodes in ((), (url,), (url, url), (url, url + "/")):
        found = check(verifier, recorded, nodes=nodes)
        assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS + 1)))
        assert "at least 2 nodes" in found.text


def test_a_silent_node_leaves_it_undecided(verifier: Verifier, recorded: Recorded) -> None:
    nodes = (recorded.nodes[0], f"http://127.0.0.1:{free_port()}")
    found = check(verifier, recorded, nodes=nodes)
    assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS + 1)))
    changed = {**recorded.receipt, "transaction_id": "0" * 64}
    assert check(verifier, recorded, changed, nodes=nodes).verdict == "NOT DECIDED"
    changed = {**recorded.receipt, "record": {**RECORD, "energy_wh": 1}}
    assert check(verifier, recorded, changed, nodes=nodes).failed == (1,)


@pytest.fixture(scope="module")
def proxies(recorded: Recorded) -> Iterator[tuple[Proxy, Proxy]]:
    first, second = Proxy(recorded.nodes[0]), Proxy(recorded.nodes[1])
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def other(proxies: tuple[Proxy, Proxy]) -> Proxy:
    """In front of the first node; honest at first."""
    proxies[0].always.clear()
    return proxies[0]


@pytest.fixture
def proxy(proxies: tuple[Proxy, Proxy]) -> Proxy:
    """In front of the second node; honest at first."""
    proxies[1].always.clear()
    return proxies[1]


class Memory(Proxy):
    """Answers the same question the same way again, quicker than the node."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._server.RequestHandlerClass.disable_nagle_algorithm = True  # type: ignore[attr-defined]  # 40 ms an answer
        self._known: dict[str, Answer | None] = {}

    def answer(self, method: str, path: str, body: bytes) -> Answer | None:
        """However the question is written: a block that is not there yet must not come between two who ask for it."""
        question = f"{path} {json.loads(body or b'null')}"
        if question not in self._known:
            self._known[question] = super().answer(method, path, body)
        return self._known[question]


@pytest.fixture(scope="module")
def remembered(recorded: Recorded) -> Iterator[tuple[str, ...]]:
    """Both nodes behind a memory, for the many questions of the tampered receipts."""
    memories = [Memory(url) for url in recorded.nodes]
    yield tuple(memory.url for memory in memories)
    for memory in memories:
        memory.close()


def _transaction(block: Json) -> Json:
    """The longest transaction of a raw block: ours."""
    found: Json = max((entry for entry in block["transactions"]), key=lambda entry: len(entry["trx"][1]["packed_trx"]))
    return found


def _flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _set(path: Callable[[Json], Json], name: str, change: Callable[[Any], Any] = _flip) -> Callable[[Json], None]:
    def alter(content: Json) -> None:
        place = path(content)
        place[name] = change(place[name])

    return alter


def _whole(block: Json) -> Json:
    return block


def _trx(block: Json) -> Json:
    found: Json = _transaction(block)["trx"][1]
    return found


def _row(content: Json) -> Json:
    """Of the table `records`; of others one that nobody reads."""
    found: Json = content["rows"][0] if content["rows"] else {}
    return found if "digest" in found else {"id": 0, "digest": "0"}


LIES = {
    "chain id": ("get_info", _set(_whole, "chain_id"), 2),
    "last irreversible block": ("get_info", _set(_whole, "last_irreversible_block_num", lambda _: 1), 3),
    "timestamp": ("get_raw_block", _set(_whole, "timestamp", lambda _: "2026-01-01T00:00:00.500"), 4),
    "producer": ("get_raw_block", _set(_whole, "producer", lambda _: "eosia"), 4),
    "confirmed": ("get_raw_block", _set(_whole, "confirmed", lambda number: number + 1), 4),
    "previous": ("get_raw_block", _set(_whole, "previous"), 4),
    "root": ("get_raw_block", _set(_whole, "transaction_mroot"), 4),
    "actions' root": ("get_raw_block", _set(_whole, "action_mroot"), 4),
    "schedule": ("get_raw_block", _set(_whole, "schedule_version", lambda number: number + 1), 4),
    "extension": ("get_raw_block", _set(_whole, "header_extensions", lambda _: [[0, "00"]]), 4),
    "status": ("get_raw_block", _set(_transaction, "status", lambda _: "hard_fail"), 5),
    "cpu": ("get_raw_block", _set(_transaction, "cpu_usage_us", lambda number: number + 1), 5),
    "net": ("get_raw_block", _set(_transaction, "net_usage_words", lambda number: number + 1), 5),
    "packed": ("get_raw_block", _set(_trx, "packed_trx"), 5),
    "compression": ("get_raw_block", _set(_trx, "compression", lambda _: "zlib"), 5),
    "free data": ("get_raw_block", _set(_trx, "packed_context_free_data", lambda _: "00"), 5),
    "signatures": ("get_raw_block", _set(_trx, "signatures", lambda _: []), 5),
    "left out": ("get_raw_block", lambda block: block["transactions"].remove(_transaction(block)), 5),
    "row's digest": ("get_table_rows", _set(_row, "digest"), 10),
    "row's id": ("get_table_rows", _set(_row, "id", lambda number: number + 1), 10),
    "row hidden": ("get_table_rows", _set(_whole, "rows", lambda _: []), 10),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_node_is_found_out(verifier: Verifier, recorded: Recorded, proxy: Proxy, lie: str) -> None:
    """One of two nodes lies: the step that shows it is named, and a true receipt is not called false."""
    call, change, step = LIES[lie]
    proxy.always[call] = altered(change)
    found = check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.verdict == "NOT DECIDED", found.text
    assert found.undecided[0] == step, found.text
    if step != 3:
        assert "disagree" in found.text or lie == "row hidden"


@pytest.mark.parametrize("lie", LIES)
def test_two_lying_nodes_do_not_verify(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy, lie: str
) -> None:
    call, change, step = LIES[lie]
    proxy.always[call] = other.always[call] = altered(change)
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert found.verdict == ("NOT DECIDED" if step == 3 else "NOT VALID"), found.text
    assert (found.failed or found.undecided)[0] == step, found.text


def test_two_nodes_that_confirm_a_changed_row_do_not_help(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    """The table alone proves nothing: the signed transaction says otherwise."""
    changed = deepcopy(recorded.receipt)
    changed["record"]["energy_wh"] = 1
    changed["digest"] = digest = _digest_of(changed)
    proxy.always["get_table_rows"] = other.always["get_table_rows"] = altered(_set(_row, "digest", lambda _: digest))
    found = check(verifier, recorded, changed, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed) == ("NOT VALID", (9,)), found.text


def _digest_of(changed: Json) -> str:
    from ledger.chain.antelope import sha256
    from ledger.record import canonical

    return sha256(bytes.fromhex(changed["salt"]) + canonical(changed["record"])).hex()


def test_a_row_that_is_absent_above_the_floor_fails(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    def hide(content: Json) -> None:
        if content["rows"] and "digest" in content["rows"][0]:
            content["rows"] = []

    proxy.always["get_table_rows"] = other.always["get_table_rows"] = altered(hide)
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed) == ("NOT VALID", (10,)), found.text


def test_a_block_that_is_not_irreversible_yet_is_undecided(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    number = recorded.receipt["block_num"] - 1
    lower = altered(_set(_whole, "last_irreversible_block_num", lambda _: number))
    proxy.always["get_info"] = other.always["get_info"] = lower
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed, found.undecided) == ("NOT DECIDED", (), (3,))


@pytest.mark.parametrize("call", ["get_info", "get_raw_block", "get_table_rows"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"7",
        b"<html>",
        b'{"rows": 7}',
        b'{"rows": [7]}',
        b"[" * 100_000,
        b'{"previous": 7}',
    ],
)
def test_a_node_that_talks_nonsense_is_no_witness(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, call: str, answer: bytes
) -> None:
    proxy.always[call] = says(200, answer)
    found = check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.verdict == "NOT DECIDED", found.text


@pytest.mark.parametrize("fault", [cut_before, says(500, b"{}"), says(302, b""), says(404, b"no such call")])
def test_a_node_that_fails_is_no_witness(verifier: Verifier, recorded: Recorded, proxy: Proxy, fault: Any) -> None:
    for call in ("get_info", "get_raw_block", "get_table_rows"):
        proxy.always.clear()
        proxy.always[call] = fault
        assert check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url)).verdict == "NOT DECIDED"


# --- the command


def run(made: Recorded, *more: str, content: Json | None = None, **changed: Any) -> subprocess.CompletedProcess[str]:
    """Run the script as an auditor does: the receipt on standard input, nothing of ours on the path."""
    options = {"key": made.key, "chain_id": made.chain_id, "nodes": made.nodes, **changed}
    command = [sys.executable, "-I", str(SCRIPT), "-", "--account", ACCOUNT, "--key", options["key"], *more]
    command += ["--chain-id", options["chain_id"]] if options["chain_id"] else []
    command += [part for node in options["nodes"] for part in ("--node", node)]
    text = receipt.dumps(made.receipt if content is None else content)
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=ENVIRONMENT
    )


ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}


def test_the_command_s_three_exit_statuses(recorded: Recorded) -> None:
    true = run(recorded)
    assert (true.returncode, true.stdout.splitlines()[-1]) == (0, "VERIFIED"), true.stdout + true.stderr
    assert [line.split()[0] for line in true.stdout.splitlines() if line[:2].strip().isdigit()] == [
        str(number) for number in range(1, STEPS + 1)
    ]
    false = run(recorded, content={**recorded.receipt, "ledger_id": str(LEDGER_ID + 1)})
    assert (false.returncode, false.stdout.splitlines()[-1]) == (1, "NOT VALID")
    assert " 9 failed" in false.stdout
    alone = run(recorded, nodes=recorded.nodes[:1])
    assert (alone.returncode, alone.stdout.splitlines()[-1]) == (2, "NOT DECIDED")
    broken = run(recorded, content={"format": "x"})
    assert (broken.returncode, broken.stdout.splitlines()[-1], broken.stderr) == (1, "NOT VALID", "")


def test_the_command_speaks_json(recorded: Recorded) -> None:
    found = json.loads(run(recorded, "--json").stdout)
    assert found["verdict"] == "VERIFIED"
    assert [step[1] for step in found["steps"]] == ["ok"] * STEPS


def test_the_command_s_help_says_what_is_proven() -> None:
    command = [sys.executable, "-I", str(SCRIPT), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT).stdout
    for words in ("VERIFIED proves", "does not prove", "exit status: 0", "--node URL", "--key PUB_R1_"):
        assert words in text


def test_a_hostile_node_cannot_write_to_the_auditor_s_terminal(recorded: Recorded, proxy: Proxy) -> None:
    proxy.always["get_info"] = altered(_set(_whole, "chain_id", lambda _: "\x1b[2J\nVERIFIED"))
    found = run(recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.returncode == 2 and "\x1b" not in found.stdout
    assert "VERIFIED" not in found.stdout.splitlines()


def test_the_script_stands_alone_and_is_short() -> None:
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) <= 400 and max(map(len, lines)) <= 120
    nodes = ast.walk(ast.parse(SCRIPT.read_text()))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    nodes = ast.walk(ast.parse(SCRIPT.read_text()))
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    imports = {name.split(".")[0] for name in names}
    assert imports - set(sys.stdlib_module_names) == {"cryptography"}


def test_a_slow_node_is_waited_for(verifier: Verifier, recorded: Recorded, proxy: Proxy) -> None:
    proxy.always["get_raw_block"] = late(0.5)
    assert check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url)).verdict == "VERIFIED"


def test_the_script_is_executable() -> None:
    assert os.access(Path(SCRIPT), os.X_OK)
