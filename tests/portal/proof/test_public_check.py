"""The public check in a real browser: a receipt as file, text, link, picture, to the camera; nothing is uploaded."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev.chain.nodeos import Nodeos
from ledger.receipts import checks, receipt
from ledger.receipts.link import receipt_fragment
from ledger.receipts.published import published_ak
from ledger.record import credit_mark
from tests.browsers import chromium_started
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Proxy, altered
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.receipts.receipt_chain import ACCOUNT, Recorded
from tests.people import log_in
from tests.portal.proof.checker import Checker, film_write, fragment_of, statement_checked

pytestmark = pytest.mark.django_db(transaction=True)


CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def chromium(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its camera shows the code of a true receipt, as somebody's telephone would see it on paper."""
    film = tmp_path_factory.mktemp("camera") / "code.y4m"
    film_write(film, f"https://portal.example.org/verify#{fragment_of(recorded)}")
    with chromium_started(*CAMERA, f"--use-file-for-fake-video-capture={film}") as browser:
        yield browser


@pytest.fixture
def checker(chromium: Browser, live_server: LiveServer, published: Recorded) -> Iterator[Checker]:
    someone = Checker(chromium, live_server.url)
    someone.open()
    yield someone
    someone.close()


def open_as(reader: Checker, user: User, url: str) -> None:
    """Log the user in, and open the page."""
    client = Client()
    log_in(client, user)
    name = django_settings.SESSION_COOKIE_NAME
    reader.context.add_cookies([{"name": name, "value": client.cookies["sessionid"].value, "url": url}])
    reader.page.goto(url)


# --- a receipt, however it comes


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_from_a_recorded_session_to_verified(
    chromium: Browser,
    live_server: LiveServer,
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    settings: Settings,
    owner: User,
    size: str,
    scheme: str,
) -> None:
    """The session, its receipt with the TPM's certification, its link, and its page with the code."""
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    drive(all_recorded)
    content = checks.receipt_for(session)
    fingerprint = published_ak(content["public_key"])
    reader = Checker(chromium, live_server.url, size, color_scheme=scheme)
    reader.open()
    reader.give(content)
    reader.sees("VERIFIED", "all twelve steps came out right")
    assert reader.outcomes() == ["ok"] * 12
    expect(reader.page.locator("[data-step='8']")).to_contain_text(f"made in the TPM of AK {fingerprint}")
    expect(reader.page.locator("#figures")).to_contain_text("7.78 kWh")
    assert f"--ak {fingerprint}" in reader.page.locator("#command").inner_text()
    reader.look()
    statement_checked(reader, content)
    open_as(reader, owner, f"{live_server.url}/sessions/{session.pk}")
    expect(reader.page.locator(".way .done")).to_have_count(5)
    reader.look()
    reader.page.get_by_role("link", name="Check in your browser").click()
    reader.sees("VERIFIED")
    expect(reader.page.locator("[data-step='8']")).to_contain_text("not in this form of the receipt")
    reader.page.go_back()
    reader.page.get_by_role("link", name="Receipt to print").click()
    for value in (content["block_id"], content["salt"], content["transaction_id"], fingerprint):
        expect(reader.page.locator("main")).to_contain_text(str(value))
    reader.look()
    photo = reader.page.locator("svg.qr").screenshot()
    reader.page.goto(f"{live_server.url}/verify")
    reader.give(photo, "photo.png", "image/png")
    reader.sees("VERIFIED")
    reader.look()
    assert reader.uploads(content) == []
    reader.close()


def test_a_file_dropped_pasted_and_in_a_link(checker: Checker, published: Recorded) -> None:
    page = checker.page
    checker.drop(published.receipt)
    checker.sees("VERIFIED")
    page.get_by_text("Paste the receipt's text").click()
    page.get_by_label("Receipt", exact=True).fill(receipt.dumps(published.pruned))
    page.get_by_role("button", name="Check this text").click()
    checker.sees("VERIFIED")
    expect(page.locator("[data-step='10']")).to_contain_text("absent, the floor is 7")
    checker.open(fragment_of(published))
    checker.sees("VERIFIED")
    page.reload()  # it has an address, and survives reload
    checker.sees("VERIFIED")
    checker.look()


def test_what_is_asked_of_whom(checker: Checker, published: Recorded) -> None:
    """Own static files and the nodes; a node hears a block number, an account and a ledger id, and gets no cookie."""
    checker.context.add_cookies([{"name": "sessionid", "value": "secret", "url": checker.base}])
    checker.give(published.receipt)
    checker.sees("VERIFIED")
    checker.open(fragment_of(published))
    checker.sees("VERIFIED")
    own = [request for request in checker.requests if request.url.startswith(checker.base)]
    others = [request for request in checker.requests if request not in own]
    assert {request.method for request in own} == {"GET"}
    assert all(re.fullmatch(r"/(verify(#.*)?|static/[\w./-]+)", request.url[len(checker.base) :]) for request in own)
    assert {request.url.partition("/v1/chain/")[0] for request in others} == set(published.nodes)
    for request in others:
        asked = json.loads(request.post_data or "")
        assert set(asked) <= {
            "account_name",
            "block_num_or_id",
            "index_position",
            "key_type",
            "code",
            "scope",
            "table",
            "json",
            "limit",
            "lower_bound",
            "upper_bound",
        }
        assert "?" not in request.url
        headers = request.all_headers()
        assert "cookie" not in headers and "referer" not in headers
    assert checker.uploads(published.receipt) == []


def test_the_rendered_code_is_read_by_the_scanner(checker: Checker, published: Recorded, tmp_path: Path) -> None:
    """From a picture, large and small, and from one that holds none."""
    link = f"{checker.base}/verify#{fragment_of(published)}"
    assert len(link) < 1800
    for scale in (3, 6, 12):
        picture = tmp_path / f"{scale}.png"
        segno.make_qr(link, error="m", boost_error=False).save(str(picture), scale=scale, border=4)
        checker.give(picture.read_bytes(), "photo.png", "image/png")
        checker.sees("VERIFIED")
    for data in (b"no picture at all", _png_of("https://example.org/"), _png_of("{}")):
        checker.open()
        checker.give(data, "photo.png", "image/png")
        expect(checker.page.locator("#problem, #reason").filter(visible=True).first).to_contain_text(
            re.compile("no QR code|Nothing was checked")
        )


def _png_of(text: str) -> bytes:
    from io import BytesIO

    out = BytesIO()
    segno.make_qr(text).save(out, kind="png", scale=6)
    return out.getvalue()


def test_the_camera_reads_it(checker: Checker, published: Recorded) -> None:
    checker.page.get_by_role("button", name="Scan its QR code").click()
    checker.sees("VERIFIED")
    expect(checker.page.locator("#video")).to_be_hidden()
    expect(checker.page.get_by_role("button", name="Scan its QR code")).to_be_visible()
    checker.look()


# --- what it is compared with


def test_few_nodes_silent_nodes_and_others(checker: Checker, published: Recorded) -> None:
    first, second = published.nodes
    checker.give(published.receipt)
    checker.sees("VERIFIED")
    checker.ask(first)
    checker.sees("NOT DECIDED", "one node alone could lie")
    checker.ask(first, f"{first}/")
    checker.sees("NOT DECIDED", "one node alone could lie")
    checker.ask()
    checker.sees("NOT DECIDED", "no node could be asked")
    expect(checker.page.locator("[data-step='1'] [data-outcome='ok']")).to_be_visible()
    checker.look()
    checker.ask(first, "http://127.0.0.1:9")
    checker.sees("NOT DECIDED", "this node gave no usable answer: http://127.0.0.1:9")
    checker.ask(first, second)
    checker.sees("VERIFIED")


def test_another_key_chain_and_tpm(checker: Checker, published: Recorded) -> None:
    page, again = checker.page, checker.page.get_by_role("button", name="Check with these")
    checker.give(published.receipt)
    page.get_by_label("Chain id").fill("0" * 64)
    again.click()
    checker.sees("NOT VALID", "This receipt is of another chain", "Step 2 failed: The chain and the account are")
    page.get_by_label("Chain id").fill(published.chain_id)
    page.locator("#keys").fill("PUB_R1_5hqxvq61zQUuuQPGCfPsbhArQZjgs6wgZtST4b1WY46BoiZHnS")
    again.click()
    checker.sees("NOT VALID", "Step 8 failed: The published key signed the transaction.")
    page.locator("#keys").fill(f"PUB_R1_5hqxvq61zQUuuQPGCfPsbhArQZjgs6wgZtST4b1WY46BoiZHnS\n{published.key} {'0' * 64}")
    again.click()
    checker.sees("VERIFIED")  # this receipt is from before keys were certified: it says nothing of a TPM
    page.get_by_label("Take only a receipt that shows in which TPM").check()
    again.click()
    checker.sees("NOT VALID", "Step 8 failed")
    checker.look()


def test_a_lying_node_and_a_block_that_is_not_final(checker: Checker, published: Recorded) -> None:
    proxy = Proxy(published.nodes[1])
    proxy.always["get_table_rows"] = altered(
        lambda content: [row.update(digest="0" * 64) for row in content["rows"]]  # type: ignore[arg-type]
    )
    checker.give(published.receipt)
    checker.ask(published.nodes[0], proxy.url)
    checker.sees("NOT DECIDED", "The nodes disagree")
    proxy.always.clear()
    proxy.always["get_info"] = altered(lambda content: content.update(last_irreversible_block_num=1))
    checker.ask(published.nodes[0], proxy.url)
    checker.sees("NOT DECIDED", "its block is not final yet")
    expect(checker.page.locator("[data-step='3']")).to_contain_text("up to block 1; producers: 1")
    checker.look()
    proxy.close()


def test_a_slip_of_the_hand_is_no_fraud(checker: Checker, published: Recorded) -> None:
    """Nothing pasted, or something else: grey, with what to do; no step, no nodes, and nobody was asked."""
    page = checker.page
    page.get_by_text("Paste the receipt's text").click()
    for text in ("", "hello", json.dumps({"format": "evportal-receipt/1"})):
        page.get_by_label("Receipt", exact=True).fill(text)
        page.get_by_role("button", name="Check this text").click()
        checker.sees("This is no receipt", "Nothing was checked. Take the receipt's file")
        expect(page.locator("#verdict")).to_have_class("verdict quiet")
        for name in ("#asked", "#again", "#steps", "#notices", "#figures"):
            expect(page.locator(name)).to_be_hidden()
    assert [request.url for request in checker.requests if "/v1/chain/" in request.url] == []
    checker.look()


def test_without_a_key_it_asks_for_one(checker: Checker, published: Recorded) -> None:
    checker.page.locator("#keys").fill("")
    checker.give(published.receipt)
    expect(checker.page.locator("#problem")).to_contain_text("First put in the published key")
    expect(checker.page.locator("#result")).to_be_hidden()


def test_another_account_and_another_contract(checker: Checker, published: Recorded) -> None:
    """P1 and P15: what is pinned beside key and chain id, shown and changeable."""
    page, again = checker.page, checker.page.get_by_role("button", name="Check with these")
    expect(page.get_by_label("Contract account")).to_have_value(ACCOUNT)
    page.get_by_label("Contract account").fill("evledger")
    checker.give(published.receipt)
    checker.sees("NOT VALID", "another account than the published ones. Step 2 failed")
    page.get_by_label("Contract account").fill(ACCOUNT)
    again.click()
    checker.sees("VERIFIED")
    expect(page.locator("#notices")).to_contain_text("that it was replaced, used and put back would not be noticed")
    page.get_by_label("The contract's last change, UTC").fill("2020-01-01T00:00:00.000")
    again.click()
    checker.sees("NOT VALID", "The contract was replaced since it was published", "Step 11 failed")
    page.get_by_label("The contract's last change, UTC").fill("2099-01-01T00:00:00.000Z")
    again.click()
    checker.sees("NOT DECIDED", "The nodes know an older contract than the published one")
    page.get_by_label("The contract's last change, UTC").fill("")
    page.get_by_label("The contract's code, SHA-256").fill("0" * 64)
    again.click()
    checker.sees("NOT VALID", "Step 11 failed")
    checker.look()


def test_a_credit_is_said_loudly(checker: Checker, published: Recorded) -> None:
    """P12: the receipt does not know of it, the chain does."""
    salt, digest = (bytes.fromhex(published.receipt[name]) for name in ("salt", "digest"))
    row = {"id": 4712, "mark": credit_mark(salt, digest).hex()}
    proxies = [Proxy(node) for node in published.nodes]
    for proxy in proxies:  # the question for the mark is the one that nothing answers
        proxy.always["get_table_rows"] = altered(lambda content: content["rows"] or content["rows"].append(row))
    checker.give(published.receipt)
    checker.ask(*(proxy.url for proxy in proxies))
    checker.sees("VERIFIED")
    expect(checker.page.locator("#credited")).to_have_text(
        "This charge was taken back: entry 4712 of the ledger is its credit. It counts no more."
    )
    checker.look()
    for proxy in proxies:
        proxy.close()


def test_who_could_replace_the_contract(checker: Checker, published: Recorded) -> None:
    checker.give(published.receipt)
    checker.sees("VERIFIED")
    notices = checker.page.locator("#notices")
    expect(notices).to_contain_text(f"could be replaced by whoever holds {ACCOUNT}@active, {ACCOUNT}@owner.")
    expect(notices).to_contain_text("A chain with one producer proves nothing against its operator.")
    expect(notices).to_contain_text("1 host answered.")


HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_hostile_receipts_are_only_text(checker: Checker, published: Recorded) -> None:
    record = {**published.receipt["record"], "location": {"name": HOSTILE}, "__proto__": {"x": HOSTILE}}
    for content in (
        {**published.receipt, "record": record, "public_key": HOSTILE, "account": HOSTILE, "digest": HOSTILE},
        {**published.receipt, "record": {**record, "currency": "€€€", "cost_minor": "1", "energy_wh": [[]]}},
        {**published.receipt, "record": {HOSTILE: HOSTILE}},
    ):
        checker.give(content)
        checker.sees("NOT VALID")
        expect(checker.page.locator("#record")).to_contain_text("onerror")
    checker.give({"format": HOSTILE})
    checker.sees("This is no receipt")
    for text in (b"", b"[" * 200_000, b"\xff\xfe\x00", HOSTILE.encode()):
        checker.give(text)
        checker.sees("This is no receipt")
        assert checker.outcomes() == []
    checker.give(b" " * (1024 * 1024 + 1))
    expect(checker.page.locator("#problem")).to_have_text("This file is too large for a receipt.")
    for fragment in ("x" * 50, HOSTILE.replace(" ", "%20"), "__proto__", "A" * 200_000, _bomb()):
        checker.open(fragment)
        expect(checker.page.locator("#problem")).to_contain_text("no receipt that can be read")
        expect(checker.page.locator("#result")).to_be_hidden()
    checker.look()
    assert checker.page.title().startswith("Check a receipt")
    assert checker.page.locator("main img").count() == 0


def _bomb() -> str:
    """64 MB that deflate to 64 kB."""
    import base64
    import zlib

    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(b"{" + b" " * (64 << 20)) + deflate.flush()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def test_a_tampered_link_fails_with_its_step(checker: Checker, published: Recorded) -> None:
    content = {**published.receipt, "record": {**published.receipt["record"], "energy_wh": 7781}}
    checker.open(receipt_fragment(content))
    checker.sees("NOT VALID", "This record was changed after it was recorded. Step 1 failed: The record and the salt")
    with checker.page.expect_download() as download:
        checker.page.get_by_role("link", name="Save the receipt as a file").click()
    assert json.loads(Path(download.value.path()).read_text()) == {**content, "attestation": None}


def test_the_skip_link_is_no_receipt(checker: Checker, published: Recorded) -> None:
    checker.open("main")
    expect(checker.page.locator("#problem")).to_be_hidden()


def test_without_script_it_says_so_and_offers_the_other_one(
    chromium: Browser, live_server: LiveServer, published: Recorded
) -> None:
    reader = Checker(chromium, live_server.url, "narrow", java_script_enabled=False)
    reader.page.goto(f"{live_server.url}/verify")
    expect(reader.page.locator("#needs-script")).to_contain_text("needs JavaScript")
    expect(reader.page.locator("#check")).to_be_hidden()
    expect(reader.page.get_by_role("link", name="verify_receipt.py")).to_be_visible()
    command = reader.page.locator("#command").inner_text()
    for part in (*published.nodes, published.chain_id, published.key, "--account", "--code-hash"):
        assert part in command
    reader.close()
