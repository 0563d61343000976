"""The check as browsers run it (static/js/verify): many cases at once, the nodes a function in the page."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from playwright.sync_api import Page

from tests.browsers import chromium_started, evaluated, static_served
from tests.vectors.loading import Vector

Json = dict[str, Any]

# Takes all cases at once: what a page is asked costs more than what it answers.
RUN = """async (text) => {
  const { verify, verdict } = await import("/js/verify/receipt.js");
  const { keyOfText } = await import("/js/verify/meter_key.js");
  const { blobs, cases } = JSON.parse(text);
  const bytes = blobs.map((blob) => Uint8Array.from(atob(blob), (char) => char.charCodeAt(0)));
  const found = [];
  for (const { receipt, nodes, answers, meters, ...pinned } of cases) {
    const pins = { ...pinned, meterKeys: meters.map(keyOfText) };
    globalThis.fetch = async (address, { body }) => {
      const [, node, call] = address.match(/^(.*)\\/v1\\/chain\\/(\\w+)$/);
      const question = `${call} ${JSON.stringify(Object.entries(JSON.parse(body)).sort())}`;
      const [status, blob] = answers[node]?.[question] ?? [404, null];
      return new Response(blob === null ? "" : bytes[blob], { status });
    };
    const shown = [];
    const { steps, notices } = await verify(bytes[receipt], { nodes, ...pins }, ({ number }) => shown.push(number));
    found.push({ verdict: verdict(steps), outcomes: steps.map(({ outcome }) => outcome), notices, shown, steps });
  }
  return JSON.stringify(found);
}"""
PINS = {"key": "key", "chain_id": "chainId", "ak": "ak", "account": "account"}
PINS |= {"code_hash": "codeHash", "code_updated": "codeUpdated"}


@dataclass(frozen=True)
class Said:
    """What the browser's code says of a case; `steps` are its findings."""

    verdict: str
    outcomes: list[str]
    notices: Json
    shown: list[int]
    steps: Any


@lru_cache(maxsize=10_000)
def _asked(question: str) -> str:
    """The same question as the page spells it."""
    call, _, body = question.partition(" ")
    return f"{call} {json.dumps(sorted(json.loads(body).items()), separators=(',', ':'), ensure_ascii=False)}"


def _packed(cases: Sequence[Vector]) -> str:
    places: dict[bytes, int] = {}

    def place(data: bytes) -> int:
        return places.setdefault(data, len(places))

    packed = [
        {
            "receipt": place(case.receipt),
            "nodes": case.urls,
            "answers": {
                url: {_asked(question): [status, place(data)] for question, (status, data) in answers.items()}
                for url, answers in case.answers.items()
            },
            "meters": case.pins.get("meter_keys") or [],
            **{theirs: case.pins[ours] for ours, theirs in PINS.items()},
        }
        for case in cases
    ]
    return json.dumps({"cases": packed, "blobs": [base64.b64encode(data).decode() for data in places]})


def run(page: Page, cases: Sequence[Vector]) -> list[Said]:
    return [Said(**found) for found in json.loads(evaluated(page, RUN, _packed(cases)))]


@contextmanager
def check_page() -> Iterator[Page]:
    """An empty page that can import the modules."""
    with static_served() as base, chromium_started() as browser:
        page = browser.new_page()
        page.goto(f"{base}/js/")  # a directory's listing
        yield page
