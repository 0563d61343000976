"""The check that runs in browsers (static/js/verify) against the one-file script: the same answer on everything.

Both get the same receipts, tampered in every field, and the same nodes, honest, silent and lying.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
from playwright.sync_api import Page

from dev.chain.keys import KeyPair, new_keypair
from ledger.chain import antelope
from ledger.receipts import receipt
from ledger.record import canonical
from tests.browser_check import check_page
from tests.browsers import evaluated
from tests.ledger.chain.proxy import Proxy, altered, cut_before, says
from tests.ledger.receipts import test_certification as certifications
from tests.ledger.receipts.lies import LIES
from tests.ledger.receipts.receipt_chain import ACCOUNT, Recorded, standalone
from tests.ledger.receipts.test_verify_receipt import ONLY_ONE_VALUE, STEP_OF_FIELD, values
from tests.ledger.soft_tpm import SoftTpm, ecc_public, point_of

Json = dict[str, Any]

# Takes all cases at once: what a page is asked costs more than what it answers. The same question is asked once and
# waited for longer than a page waits: what comes late on a full machine would be missing in every case after it.
VERIFY_ALL = """async (cases) => {
  const { verify, verdict } = await import("/js/verify/receipt.js");
  const answers = new Map(), ask = fetch;
  window.fetch = async (url, options) => {
    const question = `${url} ${options.body}`;
    const signal = AbortSignal.timeout(60_000);
    if (!answers.has(question)) answers.set(question, ask(url, { ...options, signal }).then(async (answer) => {
      const { status } = answer;
      return [await answer.text(), { status }];
    }));
    return new Response(...(await answers.get(question)));
  };
  const found = [];
  for (const { text, ...options } of cases) {
    const shown = [];
    const { steps } = await verify(text, options, (step) => shown.push(step.number));
    const numbers = (word) => steps.filter(({ outcome }) => outcome === word).map(({ number }) => number);
    found.push([verdict(steps), numbers("failed"), numbers("undecided"), shown.length, JSON.stringify(steps)]);
  }
  window.fetch = ask;
  return found;
}"""


@dataclass(frozen=True)
class Case:
    """One receipt as text and who is asked about it."""

    text: str
    nodes: Sequence[str]
    key: str
    chain_id: str | None
    ak: str | None = None
    account: str = ACCOUNT


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with check_page() as page:
        yield page


def compare(page: Page, cases: Sequence[Case]) -> list[Any]:
    """Both verifiers say the same of each case, and the browser showed each step once; returns what it said."""
    asked = [
        {
            "text": case.text,
            "nodes": list(case.nodes),
            "key": case.key,
            "chainId": case.chain_id,
            "ak": case.ak,
            "account": case.account,
        }
        for case in cases
    ]
    answers: list[Any] = evaluated(page, VERIFY_ALL, asked)
    assert len(answers) == len(cases)
    for case, (verdict, failed, undecided, shown, text) in zip(cases, answers, strict=True):
        script = standalone(
            case.text, case.nodes, key=case.key, chain_id=case.chain_id, ak=case.ak, account=case.account
        )
        expected = (script.verdict, list(script.failed))
        assert (verdict, failed) == expected, (case.text[:2000], text, script.text)
        assert shown == len(json.loads(text)), text
        if verdict != "NOT VALID":
            assert tuple(undecided) == script.undecided, (text, script.text)
    return answers


def case_of(made: Recorded, content: Json | str | None = None, **changed: Any) -> Case:
    text = content if isinstance(content, str) else json.dumps(made.receipt if content is None else content)
    return Case(text, **{"nodes": made.nodes, "key": made.key, "chain_id": made.chain_id, **changed})


# --- receipts


def test_true_receipts_are_verified(page: Page, recorded: Recorded) -> None:
    unpinned = case_of(recorded, chain_id=None)
    cases = [case_of(recorded), case_of(recorded, recorded.pruned), unpinned]
    cases.append(case_of(recorded, receipt.dumps(dict(reversed(recorded.receipt.items())))))
    answers = compare(page, cases)
    assert [answer[0] for answer in answers] == ["VERIFIED"] * 4
    assert "producers: 1 (one proves nothing against its operator)" in answers[0][4]


def test_every_field_tampered_fails_with_the_script_s_step(
    page: Page, recorded: Recorded, remembered: tuple[str, ...]
) -> None:
    """Some changes of each field with the nodes asked, spread over its length."""
    cases, steps = [], []
    for field, step in STEP_OF_FIELD.items():
        changes = [new for new in values(recorded.receipt[field]) if new != recorded.receipt[field]]
        for new in islice(changes, 0, None, max(1, len(changes) // 6)):
            cases.append(case_of(recorded, {**recorded.receipt, field: new}, nodes=remembered))
            in_range = field != "block_num" or 0 < new < 1 << 32
            steps.append(step if in_range else 1)
    answers = compare(page, cases)
    for answer, step in zip(answers, steps, strict=True):
        assert (answer[0], answer[1][0]) == ("NOT VALID", step), answer


def test_every_single_change_of_the_record_fails(page: Page, recorded: Recorded) -> None:
    """Each character of it, names of members included; nobody need be asked."""
    changes = [new for new in values(recorded.receipt["record"]) if new != recorded.receipt["record"]]
    cases = [case_of(recorded, {**recorded.receipt, "record": new}, nodes=()) for new in changes]
    assert {tuple(answer[1]) for answer in compare(page, cases)} == {(1,)}


HOSTILE_VALUES: list[Any] = [None, True, 1.5, -1, 2**70, "x", "x" * 101, [], [[]], {}, {"x": None}]
HOSTILE_VALUES += [{"__proto__": {"x": 1}}, {"constructor": "x"}]


def test_values_of_any_other_type_and_missing_fields(page: Page, recorded: Recorded) -> None:
    fields = [*STEP_OF_FIELD, *sorted(ONLY_ONE_VALUE), "attestation"]
    cases = [
        case_of(recorded, {**recorded.receipt, field: value}, nodes=()) for field in fields for value in HOSTILE_VALUES
    ]
    for field in fields:
        rest = {name: value for name, value in recorded.receipt.items() if name != field}
        cases += [case_of(recorded, rest, nodes=()), case_of(recorded, {**rest, "__proto__": 1}, nodes=())]
    for name in ("energy_wh", "constructor", "toString", "__proto__"):
        cases.append(case_of(recorded, {**recorded.receipt, name: 1}, nodes=()))
    assert {answer[0] for answer in compare(page, cases)} == {"NOT VALID", "NOT DECIDED"}


NO_RECEIPTS = [
    *("", "null", "[]", '"receipt"', "{", "[" * 100_000, '{"record":' * 100_000, "9" * 10_000, "9" * 1_000_000),
    *("{" + " " * 2_000_000 + "}", '{"record": {"a": NaN}}', '{"a": "' + "\\" * 999_999 + '"}', '"' + "x" * 1_000_000),
]


def test_whatever_is_no_receipt_fails_at_once(page: Page, recorded: Recorded) -> None:
    """Huge, deep and broken: none of it hangs the page, and no node is asked."""
    answers = compare(page, [case_of(recorded, text) for text in NO_RECEIPTS])
    assert {tuple(answer[1]) for answer in answers} == {(1,)}


SPELLINGS = [
    *('"energy_wh": 7780.0', '"energy_wh": 778e1', '"energy_wh": 1, "energy_wh": 7780', '"energy_wh": 07780'),
    *('"energy_wh": 7780, "more": null', '"energy_wh": 7780, "more": true', '"energy_wh": 7780, "more": "\\ud800"'),
    *('"energy_wh": 7780, "__proto__": {}', '"energy_wh": 7780,', '"energy_wh": 7780, "a": "\t"', '"energy_wh": +7780'),
    *('"energy_wh": 77800000000000000000000', '"energy_wh": "7780"', '"energy_wh": 7780, "a": "\\x41"'),
]


def test_other_spellings_of_the_same_json(page: Page, recorded: Recorded) -> None:
    text = json.dumps(recorded.receipt)
    cases = [case_of(recorded, text.replace('"energy_wh": 7780', other), nodes=()) for other in SPELLINGS]
    cases += [case_of(recorded, text + more, nodes=()) for more in ("x", "{}", "\0", "\xa0")]
    assert {tuple(answer[1]) for answer in compare(page, cases)} == {(1,)}
    fine = [case_of(recorded, more + text + more) for more in (" ", "\n\t\r")]
    assert {answer[0] for answer in compare(page, fine)} == {"VERIFIED"}


def test_texts_of_every_kind_have_the_same_canonical_form(page: Page, recorded: Recorded) -> None:
    """Names sorted by UTF-16, control characters, astral ones, the largest integers: RFC 8785 as the script has it."""
    record = {
        **{chr(code): chr(code) for code in (*range(0x20), 0x7F, 0x2028, 0xFB33, 0x1F50C, 0xE9)},
        **{"big": 2**53 - 1, "small": -(2**53) + 1, "10": 1, "9": 2, "list": [[], {}, "\\u0041", '"']},
    }
    salt = bytes(32)
    content = {**recorded.receipt, "record": record, "salt": salt.hex()}
    content["digest"] = antelope.sha256(salt + canonical(record)).hex()
    (answer,) = compare(page, [case_of(recorded, content, nodes=())])
    assert answer[0] == "NOT DECIDED"  # step 1 is ok, nobody was asked


# --- what is pinned, and the nodes


def test_another_key_and_another_chain(page: Page, recorded: Recorded) -> None:
    stranger = new_keypair("R1").public
    cases = [
        case_of(recorded, key=stranger),
        case_of(recorded, {**recorded.receipt, "public_key": stranger}, key=stranger),
        case_of(recorded, chain_id="0" * 64),
        case_of(recorded, {**recorded.receipt, "chain_id": "0" * 64}),
    ]
    assert [answer[1] for answer in compare(page, cases)] == [[8], [8], [2], [2, 8]]


def test_a_mistyped_key_decides_nothing(page: Page, recorded: Recorded) -> None:
    """Its checksum does not fit: step 8 cannot be taken, and the reader hears why."""
    key = recorded.key[:-1] + ("B" if recorded.key[-1] != "B" else "C")
    case = case_of(recorded, {**recorded.receipt, "public_key": key}, key=key)
    asked = {
        "text": case.text,
        "nodes": list(case.nodes),
        "key": key,
        "chainId": case.chain_id,
        "ak": None,
        "account": case.account,
    }
    (answer,) = evaluated(page, VERIFY_ALL, [asked])
    assert answer[0] == "NOT DECIDED" and "the checksum does not fit" in answer[4]


def test_few_and_silent_nodes(page: Page, recorded: Recorded) -> None:
    first, silent = recorded.nodes[0], "http://127.0.0.1:9"
    cases = [case_of(recorded, nodes=nodes) for nodes in ((), (first,), (first, first + "/"), (first, silent))]
    changed = {**recorded.receipt, "transaction_id": "0" * 64}
    cases += [case_of(recorded, changed, nodes=(first,)), case_of(recorded, changed, nodes=(first, silent))]
    assert {answer[0] for answer in compare(page, cases)} == {"NOT DECIDED"}


@pytest.mark.parametrize("lie", LIES)
def test_lying_nodes(page: Page, recorded: Recorded, proxy: Proxy, other: Proxy, lie: str) -> None:
    call, change, step = LIES[lie]
    proxy.always[call] = altered(change)
    alone = case_of(recorded, nodes=(recorded.nodes[0], proxy.url))
    other.always[call] = altered(change)
    both = case_of(recorded, nodes=(other.url, proxy.url))
    answers = compare(page, [both])
    other.always.clear()
    answers += compare(page, [alone])
    assert answers[0][0] == ("NOT DECIDED" if step == 3 else "NOT VALID")
    assert answers[1][0] == "NOT DECIDED" and answers[1][2][0] == step


NONSENSE = [b"", b"null", b"[]", b"{}", b"7", b"<html>", b'{"rows": 7}', b'{"rows": [7]}', b"[" * 100_000]
NONSENSE += [b'{"previous": 7}', b"\xff\xfe", b'{"__proto__": {"chain_id": 1}}']


@pytest.mark.parametrize("call", ["get_info", "get_raw_block", "get_table_rows", "get_producer_schedule"])
def test_nodes_that_talk_nonsense(page: Page, recorded: Recorded, proxy: Proxy, call: str) -> None:
    for fault in (*(says(200, answer) for answer in NONSENSE), says(500, b"{}"), says(302, b""), cut_before):
        proxy.always[call] = fault
        assert compare(page, [case_of(recorded, nodes=(recorded.nodes[0], proxy.url))])[0][0] == "NOT DECIDED"


# --- the TPM's certification


def test_certifications_real_and_hostile(page: Page) -> None:
    """All that test_certification.py knows: every altered byte, every hostile form, pinned and not."""
    good = certifications.TPM.certification(certifications.PAIR)
    ours, foreign = certifications.TPM.fingerprint, SoftTpm().fingerprint
    found = [(good, None), (good, ours), (good, foreign), (None, None), (None, ours)]
    found += [({**good, part: text}, None) for part, text in certifications.texts_of(good)]
    found += [(make(), None) for make in certifications.HOSTILE.values()]
    for attributes in range(1 << 11):  # each mixture of the attributes that matter, and some that do not
        spread = sum(1 << bit for i, bit in enumerate((1, 2, 4, 5, 6, 7, 10, 11, 16, 17, 18)) if attributes >> i & 1)
        if attributes % 16 == 0 or attributes.bit_count() > 7:
            key = ecc_public(point_of(certifications.PAIR), spread)
            found.append((certifications.TPM.certification(certifications.PAIR, public=key), None))
    cases = [_certified(attestation, ak) for attestation, ak in found]
    answers = compare(page, cases)
    assert [answer[0] for answer in answers[:5]] == [
        "NOT DECIDED",
        "NOT DECIDED",
        "NOT VALID",
        "NOT DECIDED",
        "NOT VALID",
    ]
    assert f"made in the TPM of AK {ours}" in answers[0][4]


def _certified(attestation: Any, ak: str | None = None) -> Case:
    pair = certifications.PAIR
    content = {**certifications.RECEIPT, "public_key": pair.public, "attestation": attestation}
    chain_id, account = certifications.RECEIPT["chain_id"], certifications.RECEIPT["account"]
    return Case(json.dumps(content), (), pair.public, chain_id, ak, account)


# --- the parts


def test_bytes_and_texts_as_python_makes_them(page: Page) -> None:
    """RIPEMD-160, base58, points and names against Python's values."""
    samples = [bytes(range(n)) for n in (0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 200)]
    keys = [new_keypair("R1").public for _ in range(20)]
    names = ["eosio", "evledger.aaa", "a", "zzzzzzzzzzzz", "1", "a.b"]
    found = evaluated(
        page,
        """async ({ samples, keys, names }) => {
      const { base58, bytesOf, hexOf, name } = await import("/js/verify/encoding.js");
      const { ripemd160 } = await import("/js/verify/ripemd160.js");
      const { compress, decompress } = await import("/js/verify/p256.js");
      return {
        digests: samples.map((hex) => hexOf(ripemd160(bytesOf(hex)))),
        keys: keys.map((key) => hexOf(base58(key, "PUB").data)),
        points: keys.map((key) => hexOf(decompress(base58(key, "PUB").data))),
        again: keys.map((key) => hexOf(compress(decompress(base58(key, "PUB").data)))),
        names: names.map((text) => hexOf(name(text))),
      };
    }""",
        {"samples": [sample.hex() for sample in samples], "keys": keys, "names": names},
    )
    points = [point_of(KeyPair("", key)) for key in keys]
    assert found["digests"] == [antelope.ripemd160(sample).hex() for sample in samples]
    assert found["keys"] == found["again"] == [antelope.public_key_pack(key)[1:].hex() for key in keys]
    assert found["names"] == [antelope.name_pack(name).hex() for name in names]
    numbers = [point.public_numbers() for point in points]
    assert found["points"] == [f"04{number.x:064x}{number.y:064x}" for number in numbers]
