"""The saved page without network: receipts that need no node, and what is said of the trust that is left."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from ledger.chain.antelope import sha256
from ledger.standalone import PAGE
from tests.browsers import chromium_started, evaluated, settled
from tests.ledger.statement_zip import statement_zip
from tests.ledger.test_statements_in_browser import worlds
from tests.vectors.chain import CHAIN_ID, KEY, URLS, World
from tests.vectors.log_world import (
    AUDITOR,
    CLUB,
    FLEET,
    LOG_KEY,
    ORIGIN,
    OTHER_LOG_KEY,
    LogWorld,
    WitnessKey,
    b64,
    inclusion,
    root,
)

Json = dict[str, Any]
NOT_ASKED = "No node was asked: that the chain still holds it, and that the contract is unchanged, was not checked."
PINNED = (CLUB, AUDITOR, FLEET)
# Another key under a known name.
IMPOSTOR = WitnessKey(CLUB.name, 9)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_started() as browser:
        yield browser


class Reader:
    """Somebody with the page on a disk, and no network."""

    def __init__(self, chromium: Browser, directory: Path, width: int, scheme: str) -> None:
        (directory / "saved.html").write_bytes(PAGE.read_bytes())
        size = {"width": width, "height": 844}
        self.context = chromium.new_context(viewport=size, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.width, self.asked = width, set[str]()
        self.page.on("request", lambda request: self.asked.add(request.url.partition("/v1/chain/")[0]))
        self.page.goto((directory / "saved.html").as_uri())
        self.page.locator("#chain").fill(CHAIN_ID)
        self.page.locator("#keys").fill(KEY.public)

    def give(self, content: Json | bytes, name: str = "r.json", kind: str = "application/json") -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": data})

    def pins(self, *, log: Sequence[str] = (), witnesses: Sequence[WitnessKey] = (), quorum: str = "") -> None:
        self.page.locator("#log-keys").fill("\n".join(log))
        self.page.locator("#witnesses").fill("\n".join(one.vkey for one in witnesses))
        self.page.locator("#quorum").fill(quorum)
        self.page.get_by_role("button", name="Check with these").click()

    def sees(self, verdict: str, reason: str) -> None:
        expect(self.page.locator("#verdict")).to_have_text(verdict)
        expect(self.page.locator("#reason")).to_contain_text(reason)

    def outcomes(self) -> str:
        """A letter a step: ok, failed, undecided, not asked."""
        marks = "[...document.querySelectorAll('#steps [data-outcome]')].map((one) => one.dataset.outcome[0]).join('')"
        return str(evaluated(self.page, marks))

    def look(self) -> None:
        found = settled(self.page, lambda: Axe().run(self.page)).response["violations"]
        assert [(bad["id"], bad["nodes"][0]["html"]) for bad in found] == []
        assert evaluated(self.page, "document.documentElement.scrollWidth") <= self.width


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "narrow"])
def reader(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Reader]:
    someone = Reader(chromium, tmp_path, *request.param)
    yield someone
    someone.context.close()


def test_offered_where_no_node_answers_and_pinned_to_the_end(reader: Reader) -> None:
    """From a file and nodes that are away to VERIFIED OFFLINE, by keyboard where it can; nobody else is asked."""
    made = LOG_KEY.attestation()
    page, world = reader.page, LogWorld(key_attestation=made, ak_certificates={CLUB.name: CLUB.ak_certificate(made)})
    reader.page.locator("#nodes").fill("\n".join(URLS))
    reader.give(world.receipt())
    reader.sees("NOT DECIDED", "this node gave no usable answer")
    expect(page.locator("#offer")).to_contain_text("No node answers, but this receipt carries proofs that need none.")
    reader.look()
    page.locator("#offer-offline").press("Enter")
    reader.sees("NOT DECIDED", "whoever made this receipt could have made its log and its witnesses, too")
    assert page.locator("#offline").is_checked() and reader.outcomes() == "oonoooooonnoouu"
    expect(page.locator("#trust")).to_contain_text(f"with a key of {ORIGIN} that only the receipt names")
    expect(page.locator("#trust")).to_contain_text("no witness' key is given here")
    expect(page.locator("#trust")).not_to_contain_text("live in a TPM")
    reader.pins(log=[LOG_KEY.vkey], witnesses=PINNED)
    reader.sees("VERIFIED OFFLINE", "All that this receipt proves by itself holds. Nobody was asked.")
    assert reader.outcomes() == "oonoooooonnoooo"
    for words in (
        f"its state of 5 records, signed with the key of {ORIGIN} that is given here",
        f"2 of 3 whose keys are given here signed it: {CLUB.name}, {AUDITOR.name}.",
        f"That the keys live in a TPM is not the operator's word alone: {CLUB.name} looked at it.",
        "The newest signature is of 1 Mar 2026, 08:01:40 UTC, by that witness' clock.",
        "signed by the producer with PUB_K1_",
        NOT_ASKED,
    ):
        expect(page.locator("#trust")).to_contain_text(words)
    expect(page.locator("[data-step='3'] [data-outcome]")).to_have_text("– not asked")
    expect(page.locator("#command")).to_contain_text(f"--witness {FLEET.vkey}")
    expect(page.locator("#command")).to_contain_text("--offline")
    reader.look()
    page.locator("#offline").press("Space")  # nodes are asked again
    reader.sees("NOT DECIDED", "this node gave no usable answer")
    expect(page.locator("#trust")).to_be_hidden()
    assert {one for one in reader.asked if not one.startswith(("file:", "blob:"))} == {*URLS}


def altered_line(receipt: Json, which: int) -> Json:
    """One letter of a signature in the checkpoint is another one."""
    lines = receipt["log"]["checkpoint"].splitlines(keepends=True)
    line = lines[4 + which]
    lines[4 + which] = line[:-20] + ("B" if line[-20] != "B" else "C") + line[-19:]
    return {**receipt, "log": {**receipt["log"], "checkpoint": "".join(lines)}}


def test_what_is_damaged_or_pinned_otherwise(chromium: Browser, tmp_path: Path) -> None:
    reader = Reader(chromium, tmp_path, 1280, "light")
    page, world = reader.page, LogWorld()
    good = world.receipt()
    page.locator("#offline").check()
    reader.give(good)
    reader.pins(log=[LOG_KEY.vkey], witnesses=PINNED, quorum="3")
    reader.sees("NOT DECIDED", "too few of the witnesses whose keys are given here have signed it")
    reader.pins(log=[OTHER_LOG_KEY.vkey], witnesses=PINNED)
    reader.sees("NOT VALID", "Step 14 failed: The log's key signed the checkpoint.")
    reader.pins(log=[OTHER_LOG_KEY.vkey, LOG_KEY.vkey], witnesses=[IMPOSTOR])  # the older key of the log is still known
    reader.sees("NOT VALID", "What a witness is said to have signed, it did not sign. Step 15 failed")
    reader.pins(log=[LOG_KEY.vkey], witnesses=PINNED)
    reader.sees("VERIFIED OFFLINE", "")
    reader.give(altered_line(good, 0))
    reader.sees("NOT VALID", "Step 14 failed")
    reader.give(altered_line(good, 2))
    reader.sees("NOT VALID", "Step 15 failed")
    reader.give({**good, "log": {**good["log"], "index": 2}})
    reader.sees("NOT VALID", "The log that the receipt names does not hold this record. Step 13 failed")
    reader.give({**good, "chain": None})
    reader.sees("VERIFIED OFFLINE", "")
    expect(page.locator("#trust")).to_contain_text("the receipt has no part of it")
    assert reader.outcomes() == "oonnnnnnnnnoooo"
    reader.give(world.but(producer=False).receipt())
    expect(page.locator("#trust")).to_contain_text("the producer's signature was not checked")
    reader.give(world.world.receipt(credited_by=None))
    reader.sees("NOT DECIDED", "this receipt cannot be checked offline: it does not say where the record stands")
    assert reader.outcomes() == "oonnnnnnnnnouuu"
    for field, value, problem in (
        ("#log-keys", CLUB.vkey, "A key of the log, below, cannot be read"),
        ("#witnesses", LOG_KEY.vkey, "A witness' key, below, cannot be read"),
        ("#quorum", "0", "How many witnesses have to have signed, below, cannot be read"),
    ):
        before = page.locator(field).input_value()
        page.locator(field).fill(value)
        reader.give(good)
        expect(page.locator("#problem")).to_contain_text(problem)
        page.locator(field).fill(before)
    reader.context.close()


def test_with_nodes_the_log_speaks_as_well(chromium: Browser, tmp_path: Path) -> None:
    """Fifteen steps; witnesses are not asked for, and a chain part that nodes contradict is wrong."""
    reader = Reader(chromium, tmp_path, 390, "light")
    world = LogWorld()
    answers = {(one.call, json.dumps(one.body, sort_keys=True)): one for one in world.world.answers().values()}

    def node(route: Route) -> None:
        request = route.request
        asked = request.url.rpartition("/")[2], json.dumps(json.loads(request.post_data or "{}"), sort_keys=True)
        found = answers[asked]
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(status=found.status, body=found.content, headers=headers)

    reader.page.route("**/v1/chain/*", node)
    reader.page.locator("#nodes").fill("\n".join(URLS))
    reader.give(world.receipt())
    reader.pins(log=[LOG_KEY.vkey], witnesses=[FLEET])
    reader.sees("VERIFIED", "nobody changed it since: all fifteen steps came out right")
    assert reader.outcomes() == "o" * 15
    said = f"It also stands in the log {ORIGIN}, signed with the key that is given here at 5 records, and by witnesses"
    expect(reader.page.locator("#notices")).to_contain_text(said)
    for hidden in ("#offer", "#trust"):
        expect(reader.page.locator(hidden)).to_be_hidden()
    expect(reader.page.locator("#command")).not_to_contain_text("--witness")
    reader.look()
    reader.give(world.receipt(chain={**world.chain(), "status": "hard_fail"}))
    reader.sees("NOT VALID", "Step 5 failed")
    reader.context.close()


# --- statements


def logged(charges: Sequence[World], *, stranger: bytes = b"one") -> list[Json]:
    """Receipts of these charges in one log, which holds a stranger's record, too."""
    leaves = [charge.ledger_id.to_bytes(8) + charge.digest for charge in charges]
    hashes = [sha256(b"\0" + leaf) for leaf in (*leaves, bytes(8) + sha256(stranger))]
    text = f"{ORIGIN}\n{len(hashes)}\n{b64(root(hashes))}\n"
    note = f"{text}\n{LOG_KEY.line(text)}{CLUB.line(text)}{AUDITOR.line(text)}"
    found = []
    for index, charge in enumerate(charges):
        world = LogWorld(world=charge)
        proof = [one.hex() for one in inclusion(index, hashes)]
        found.append(world.receipt(log={**world.log(), "index": index, "proof": proof, "checkpoint": note}))
    return found


def test_a_statement_offline_and_the_two_faces_of_a_log(chromium: Browser, tmp_path: Path) -> None:
    reader = Reader(chromium, tmp_path, 390, "light")
    page, charges = reader.page, worlds()[:3]
    true = logged(charges)
    page.locator("#nodes").fill("\n".join(URLS))
    page.locator("#log-keys").fill(LOG_KEY.vkey)
    page.locator("#witnesses").fill("\n".join((CLUB.vkey, AUDITOR.vkey)))
    reader.give(statement_zip(true), "month.zip", "application/zip")
    verdict = page.locator("#statement-verdict")
    expect(verdict).to_have_text("NOT DECIDED")
    page.locator("#statement-offer-offline").click()
    expect(verdict).to_have_text("VERIFIED OFFLINE")
    expect(page.locator("#charges tbody [data-verdict='VERIFIED OFFLINE']")).to_have_count(3)
    notices = page.locator("#statement-notices")
    expect(notices).to_contain_text(NOT_ASKED)
    expect(notices).to_contain_text(
        f"2 of 2 witnesses whose keys are given here signed for each charge: {CLUB.name}, {AUDITOR.name}."
    )
    reader.look()
    page.get_by_role("button", name="The steps of charge 2").click()
    reader.sees("VERIFIED OFFLINE", "")
    reader.look()
    mixed = [*true[:2], logged(charges, stranger=b"another")[2]]
    reader.give(statement_zip(mixed), "month.zip", "application/zip")
    expect(verdict).to_have_text("NOT VALID")
    expect(page.locator("#charges tbody [data-verdict='VERIFIED OFFLINE']")).to_have_count(
        3
    )  # each face is well signed
    expect(notices).to_contain_text(
        f"The log shows two faces: receipts have different states of it under one size ({ORIGIN} 4)."
    )
    reader.look()
    reader.context.close()
