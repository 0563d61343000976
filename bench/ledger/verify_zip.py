"""verify_zip_300_s: seconds for a statement's ZIP of 300 receipts in Chromium, from the file to the verdict.

Method: 300 sessions close one after the other while worker and beat record them, so that they stand in many blocks.
Their receipts are put into a ZIP as a statement has them, then worker, beat and TPM are stopped. Each sample is a new
browser with the saved page (evportal-verify.html, from a disk), which asks the producer and a second, read-only node;
it must say VERIFIED, and show each charge as right.
"""

import json
import random
import time
from argparse import Namespace
from pathlib import Path

from playwright.sync_api import Browser, expect

from bench.ledger.close_one import until_irreversible
from bench.ledger.receipt import wait_for_follower
from bench.stage import Measured, in_portal, options, perform
from dev.common.progress import bar
from dev.trials.portal_stack import PortalStack
from ledger.standalone import PAGE
from tests.browsers import chromium_started
from tests.ledger.statement_zip import statement_zip

CHARGES = 300
PATIENCE_MS = 120_000


def measure(stack: PortalStack, chosen: Namespace) -> Measured:
    receipts = recorded(stack)
    data = statement_zip([json.loads(text) for text in receipts])
    path = stack.directory / "statement.zip"
    path.write_bytes(data)
    for part in (stack.beat, stack.worker, stack.tpm):
        part.stop()
    samples = []
    with chromium_started() as browser, bar(chosen.count, "checking", " statements") as progress:
        for _ in range(chosen.count):
            samples.append(checked(browser, stack, path))
            progress.update()
    blocks = {json.loads(text)["block_num"] for text in receipts}
    return samples, {"charges": len(receipts), "blocks": len(blocks), "zip_kib": round(len(data) / 1024)}


def recorded(stack: PortalStack) -> list[str]:
    """The receipts, as JSON, of sessions that closed while they were recorded."""
    from dev.trials.sample_sessions import Sessions
    from ledger.models import LedgerEntry
    from ledger.receipts.checks import receipt_for

    stack.worker.start()
    stack.beat.start()
    made = Sessions(random.Random(1))
    with bar(CHARGES, "closing", " sessions") as progress:
        for _ in range(CHARGES):
            made.close_one()
            progress.update()
    entries = list(LedgerEntry.objects.select_related("session").order_by("id"))
    receipts = []
    for entry in entries:
        assert entry.session is not None
        until_irreversible(entry.session.pk)
        receipts.append(receipt_for(entry.session))
    wait_for_follower(stack, max(receipt["block_num"] for receipt in receipts))
    return [json.dumps(receipt) for receipt in receipts]


def checked(browser: Browser, stack: PortalStack, path: Path) -> float:
    """Seconds from the chosen file to the verdict, in a browser that knows nothing yet."""
    assert stack.follower is not None
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(PAGE.as_uri())
    page.locator("#nodes").fill("\n".join((stack.node.url, stack.follower.url)))
    page.locator("#chain").fill((stack.worker.env or {})["EVPORTAL_LEDGER_CHAIN_ID"])
    page.locator("#keys").fill(stack.public_key)
    begun = time.monotonic()
    page.locator("#file").set_input_files(path)
    expect(page.locator("#statement-verdict")).to_have_text("VERIFIED", timeout=PATIENCE_MS)
    taken = time.monotonic() - begun
    expect(page.locator("#charges tbody [data-verdict=VERIFIED]")).to_have_count(CHARGES)
    context.close()
    return taken


if __name__ == "__main__":
    perform(options(__doc__, count=5, what="checks", portal=True), in_portal(measure, follower=True))
