"""Somebody at the public check, in a browser whose camera sees the code that a film holds."""

import json
from pathlib import Path
from typing import Any

import segno
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from ledger.receipts import receipt
from ledger.receipts.link import receipt_fragment
from tests.browsers import evaluated, settled
from tests.ledger.receipts.receipt_chain import Recorded
from tests.ledger.statement_zip import statement_zip
from tests.readers import PATIENCE_MS

Json = dict[str, Any]


SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


class Checker:
    """Somebody with a receipt at the public page; keeps what the console says and what the browser asks whom."""

    def __init__(self, browser: Browser, base: str, size: str = "wide", **options: Any) -> None:
        width, height = SIZES[size]
        viewport = {"width": width, "height": height}
        self.context: BrowserContext = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE_MS)
        self.base, self.width = base, width
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self._hear("error", str(error)))
        self.page.on("request", lambda request: self.requests.append(request))

    def _hear(self, kind: str, words: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(words)

    def open(self, fragment: str = "") -> None:
        self.page.goto(f"{self.base}/verify" + (f"#{fragment}" if fragment else ""))
        if self.context.browser and self.page.locator("#check").count():
            expect(self.page.locator("#check")).to_be_visible()

    def give(self, content: Json | bytes, name: str = "receipt.json", kind: str = "application/json") -> None:
        data = content if isinstance(content, bytes) else receipt.dumps(content).encode()
        self.page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": data})

    def drop(self, content: Json) -> None:
        """As the browser does when a file is dropped."""
        evaluated(
            self.page,
            """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "receipt.json", { type: "application/json" }));
          document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
            receipt.dumps(content),
        )

    def ask(self, *nodes: str) -> None:
        self.page.locator("#nodes").fill("\n".join(nodes))
        self.page.get_by_role("button", name="Check with these").click()

    def sees(self, verdict: str, *reasons: str) -> None:
        expect(self.page.locator("#verdict")).to_have_text(verdict)
        for reason in reasons:
            expect(self.page.locator("#reason")).to_contain_text(reason)

    def outcomes(self) -> list[str]:
        found: list[str] = evaluated(
            self.page,
            """[...document.querySelectorAll("#steps [data-outcome]")]
              .filter((one) => one.checkVisibility()).map((one) => one.dataset.outcome)""",
        )
        return found

    def look(self) -> None:
        """Nothing in the console, nothing sideways, nothing that a screen reader stumbles over."""
        assert self.complaints == []
        found = settled(self.page, lambda: Axe().run(self.page)).response["violations"]
        assert [(bad["id"], bad["nodes"][0]["html"]) for bad in found if bad["impact"] in ("serious", "critical")] == []
        assert evaluated(self.page, "document.documentElement.scrollWidth") <= self.width

    def uploads(self, content: Json) -> list[str]:
        """Whatever of the receipt left the browser, but for the numbers and the account that nodes are asked about."""
        allowed = {content["ledger_id"], content["account"]}
        secrets = [value for value in content.values() if isinstance(value, str) and value not in allowed]
        secrets += [json.dumps(value) for value in content["record"].values()]
        secrets = [text for text in secrets if len(text) >= 6]
        sent = [f"{request.url} {request.post_data or ''} {request.headers}" for request in self.requests]
        return [text for text in sent for secret in secrets if secret in text]

    def close(self) -> None:
        self.context.close()


def statement_checked(reader: Checker, content: Json) -> None:
    """A month with this one charge: the verdict, a line, its steps; then no statement, and one receipt again."""
    page = reader.page
    reader.give(statement_zip([content]), "statement.zip", "application/zip")
    expect(page.locator("#statement-verdict")).to_have_text("VERIFIED")
    expect(page.locator("#charges tbody [data-verdict=VERIFIED]")).to_have_count(1)
    expect(page.locator("#statement-notices")).to_contain_text("1 of 1 charges have no signed meter values")
    reader.look()
    page.get_by_role("button", name="The steps of charge 1").click()
    reader.sees("VERIFIED")
    expect(page.locator("#statement")).to_be_visible()
    reader.look()
    reader.give(b"PK\5\6", "statement.zip", "application/zip")
    expect(page.locator("#statement-verdict")).to_have_text("This is no statement")
    expect(page.locator("#result")).to_be_hidden()
    reader.give(content)
    reader.sees("VERIFIED")
    expect(page.locator("#statement")).to_be_hidden()
    assert reader.uploads(content) == []
    page.get_by_label("Public keys of the meters").fill("04AA")
    page.get_by_role("button", name="Check with these").click()
    expect(page.locator("#problem")).to_contain_text("A meter's key, below, cannot be read")


def fragment_of(made: Recorded) -> str:
    return receipt_fragment(made.receipt)


def film_write(path: Path, text: str, width: int = 1280, height: int = 720) -> None:
    """Two pictures of the code in YUV 4:2:0, black on light grey."""
    matrix = [list(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix_iter(scale=4, border=4)]
    top, left = (height - len(matrix)) // 2, (width - len(matrix[0])) // 2
    luma = [bytearray([200] * width) for _ in range(height)]
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            luma[top + y][left + x] = 30 if dark else 225
    frame = b"FRAME\n" + b"".join(luma) + bytes([128]) * (width * height // 2)
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420\n".encode() + frame * 2)
