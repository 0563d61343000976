"""A statement's ZIP in the browser (static/js/verify/statement.js): true ones, each alteration, hostile ZIPs."""

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Page

from dev.stations.ocmf import SignedMeter
from portal.employer.index import Indexed, dumps, index_of, receipt_name
from stations.metering import containers
from stations.metering.judging import SignedValue
from stations.vehicles.rates import Rate
from tests.browser_check import check_page
from tests.browsers import evaluated
from tests.ledger.receipts.receipt_chain import RECORD
from tests.ledger.statement_zip import RATE, files_of, packed, sums_of
from tests.vectors.chain import (
    ACCOUNT,
    CHAIN_ID,
    CODE_HASH,
    CODE_UPDATED,
    KEY,
    URLS,
    World,
    action,
    digest_of,
    record_data,
    sha256_hex,
    transaction,
)

Json = dict[str, Any]
COUNT = 4
CHECK = """async (text) => {
  const { open, verifyStatement } = await import("/js/verify/statement.js");
  const { cases, answers, pins, nodes } = JSON.parse(text);
  const asked = new Map();
  globalThis.fetch = async (address, { body }) => {
    const [, node, call] = address.match(/^(.*)\\/v1\\/chain\\/(\\w+)$/);
    const question = `${call} ${JSON.stringify(Object.entries(JSON.parse(body)).sort())}`;
    asked.set(question, (asked.get(question) ?? 0) + 1);
    const found = node.endsWith(":9") ? undefined : answers[question];
    return new Response(found ?? "", { status: found === undefined ? 404 : 200 });
  };
  const found = [];
  for (const { name, zip, silent } of cases) {
    asked.clear();
    const heard = [...nodes, ...(silent ? ["http://127.0.0.4:9"] : [])];
    const data = Uint8Array.from(atob(zip), (char) => char.charCodeAt(0));
    try {
      const opened = await open(data);
      const places = [];
      const said = await verifyStatement(opened, heard, () => pins, (one, i) => places.push(i));
      const charges = said.charges.map(({ verdict, problem, fields }) => [verdict, problem, fields ?? []]);
      const { verdict, unnamed, twice, sums, leftOut } = said;
      const gaps = leftOut.gaps.map(({ meter, wh, records }) => [meter, String(wh), Number(records)]);
      const signed = said.charges.map(({ notices }) => notices?.signed);
      found.push({ name, verdict, charges, unnamed, twice, sums, gaps, signed, unsigned: leftOut.unsigned, places,
        asked: Math.max(...asked.values()) });
    } catch (error) {
      found.push({ name, verdict: "NO STATEMENT", error: error.message });
    }
  }
  return found;
}"""


@cache
def worlds() -> tuple[World, ...]:
    """Charges that were recorded in one transaction, the third without costs, the last credited."""
    records: list[Json] = []
    for number in range(COUNT):
        day = {"id": str(number + 1), "started_at": f"2026-03-0{number + 1}T08:00:00Z"}
        records.append({**RECORD, **day, "stopped_at": f"2026-03-0{number + 1}T10:00:00Z", "energy_wh": 7780 + number})
    records[2] = {name: value for name, value in records[2].items() if name != "cost_minor"}
    listed = [(1801 + number, digest_of(record)) for number, record in enumerate(records)]
    together = transaction(action(record_data(listed, [4600], [])))
    made = [
        World(record=record, ledger_id=number, packed=together)
        for (number, _), record in zip(listed, records, strict=True)
    ]
    return (*made[:-1], made[-1].but(credit=1912))


@cache
def receipts() -> tuple[Json, ...]:
    return tuple(world.receipt(credited_by=None) for world in worlds())


@cache
def signed_worlds() -> tuple[World, ...]:
    """Five charges at one meter: the third after somebody else's, the last is the fourth's again, corrected."""
    meter = SignedMeter("1EVP1")
    start, wh, records = datetime(2026, 3, 1, 8, tzinfo=UTC), 1000, []
    for number in range(4):
        if number == 2:
            meter.pagination += 2
            wh += 5500
        at, until = start + timedelta(days=number), start + timedelta(days=number, hours=1)
        texts = meter.begin(wh, at, "04AABBCCDD"), meter.end(wh + 7780, until, "04AABBCCDD")
        values = [{"format": "OCMF", "encoding": "plain", "text": text} for text in texts]
        figures = {"meter_start_wh": wh, "meter_stop_wh": wh + 7780, "energy_wh": 7780, "signed_verdict": "VERIFIED"}
        times = {"started_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "stopped_at": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        key = {"meter_public_key": meter.public_key.hex(), "id_token": {"type": "ISO14443", "uid": "04AABBCCDD"}}
        records.append({**RECORD, **figures, **times, **key, "id": str(number), "signed_meter_values": values})
        wh += 7780
    records.append({**records[3], "id": "9"})
    listed = [(1851 + number, digest_of(record)) for number, record in enumerate(records)]
    packed_ = transaction(action(record_data(listed, [4600], [])))
    return tuple(
        World(record=record, ledger_id=number, packed=packed_, header={"timestamp": "2026-03-01T08:00:01.000"})
        for (number, _), record in zip(listed, records, strict=True)
    )


def answers(among: Sequence[World] | None = None) -> dict[str, str]:
    """What each node says, by the question as the page spells it."""
    found = {}
    for world in among or worlds():
        for answer in world.answers().values():
            body = json.dumps(sorted(answer.body.items()), separators=(",", ":"))
            found[f"{answer.call} {body}"] = answer.content.decode()
    return found


def asked(
    page: Page, cases: Mapping[str, bytes], *, silent: Sequence[str] = (), among: Sequence[World] | None = None
) -> dict[str, Json]:
    pins: Json = {"key": KEY.public, "chainId": CHAIN_ID, "account": ACCOUNT, "ak": None, "meterKeys": []}
    pins |= {"codeHash": CODE_HASH, "codeUpdated": CODE_UPDATED}
    listed = [
        {"name": name, "zip": base64.b64encode(data).decode(), "silent": name in silent} for name, data in cases.items()
    ]
    content = {"cases": listed, "answers": answers(among), "pins": pins, "nodes": list(URLS)}
    found: list[Json] = evaluated(page, CHECK, json.dumps(content))
    return {one["name"]: one for one in found}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with check_page() as page:
        yield page


def index_changed(change: Callable[[Json], None], *, rate: Json | None = None, sums: bool = False) -> bytes:
    """A true statement whose index says something else; `sums`: those are made right again."""
    files = files_of(receipts(), rate=rate)
    index = json.loads(files["statement.json"])
    change(index)
    if sums:
        index["sums"] = sums_of(index["charges"])
    return packed({**files, "statement.json": json.dumps(index).encode()})


# --- statements


def test_true_statements_are_verified_and_nodes_asked_once(page: Page) -> None:
    files = files_of(receipts())
    shuffled = dict(reversed(files.items()))
    repacked = {"receipts/": b"", **files, "meter-values/": b""}
    cases = {
        "deflated": packed(files),
        "stored": packed(files, zipfile.ZIP_STORED),
        "shuffled": packed(shuffled),
        "with folders": packed(repacked),
        "sizes behind": streamed(files),
        "flat rate": packed(files_of(receipts(), rate=RATE)),
        "one node more, which is silent": packed(files),
        "empty": packed(files_of([])),
    }
    said = asked(page, cases, silent=["one node more, which is silent"])
    silent, empty = said.pop("one node more, which is silent"), said.pop("empty")
    for one in said.values():
        assert one["verdict"] == "VERIFIED", one
        assert one["charges"] == [["VERIFIED", "", []]] * COUNT
        assert (one["unnamed"], one["twice"], one["sums"], one["unsigned"]) == ([], [], [], COUNT)
        assert sorted(one["places"]) == list(range(COUNT))
        assert one["asked"] == len(URLS), "a node is asked each question once"
    assert silent["verdict"] == "NOT DECIDED" and silent["asked"] == len(URLS) + 1
    assert (empty["verdict"], empty["charges"]) == ("VERIFIED", [])


def test_what_lies_between_two_charges_at_a_meter_is_said(page: Page) -> None:
    """Only the register of the meter tells; a corrected charge is not there twice; without signatures nobody knows."""
    made = signed_worlds()
    everything = [world.receipt(credited_by=None) for world in made]
    cases = {"all": packed(files_of(everything)), "one left out": packed(files_of([everything[0], *everything[2:]]))}
    cases["two at once"] = packed(files_of(everything[:2]))
    for name, key in (("container", ""), ("container with key", made[0].record["meter_public_key"])):
        values = [SignedValue.of(one) for one in made[0].record["signed_meter_values"]]
        cases[name] = packed({**files_of(everything), "meter-values/0001.xml": containers.written(values, key)})
        cases[f"of another: {name}"] = packed(
            {**files_of(everything), "meter-values/0002.xml": containers.written(values, key)}
        )
    said = asked(page, cases, among=made)
    for name in [name for name in said if name.startswith("of another")]:
        assert said[name]["charges"][1] == ["NOT VALID", "container", []] and said.pop(name)["verdict"] == "NOT VALID"
    assert {one["verdict"] for one in said.values()} == {"VERIFIED"}, said
    assert {name for one in said.values() for name in one["signed"]} == {"VERIFIED (key of the record)"}
    assert said["all"]["gaps"] == [["1EVP1", "5500", 2]] and said["all"]["unsigned"] == 0
    assert said["one left out"]["gaps"] == [["1EVP1", "13280", 4]]
    assert said["two at once"]["gaps"] == []


def streamed(files: Mapping[str, bytes]) -> bytes:
    """As programs write that cannot go back: sizes and checksum stand behind each file."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: Any) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_what_the_portal_makes_is_verified(page: Page) -> None:
    """Its own index of the same charges, at both prices, and credits with a minus."""
    made, rate = signed_worlds(), Rate(2026, Decimal("0.34"), "EUR", "BMF")
    data = [json.dumps(world.receipt(credited_by=None)).encode() for world in made]
    charges = [Indexed(world.record, world.ledger_id, 12_345 if world.record["id"] == "0" else None) for world in made]

    def zipped(rate: Rate | None) -> bytes:
        content = index_of(
            document_number="1",
            period="2026-03",
            vehicle=("Kombi", "B-EV 1"),
            place="Home",
            rate=rate,
            charges=charges,
            receipts=data,
        )
        named = {receipt_name(number): one for number, one in enumerate(data, start=1)}
        return packed({"statement.json": dumps(content), **named})

    said = asked(page, {"contract": zipped(None), "flat rate": zipped(rate)}, among=made)
    assert {name: one["verdict"] for name, one in said.items()} == {"contract": "VERIFIED", "flat rate": "VERIFIED"}


def test_whatever_is_altered_is_named(page: Page) -> None:
    files = files_of(receipts())
    changed = files["receipts/0002.json"].replace(b'"energy_wh": 7781', b'"energy_wh": 77810')

    def agree(index: Json) -> None:
        index["charges"][1].update(sha256=sha256_hex(changed), energy_wh=77810)

    agreed = zipfile.ZipFile(io.BytesIO(index_changed(agree, sums=True))).read("statement.json")
    cases = {
        "receipt altered": packed({**files, "receipts/0002.json": changed}),
        "both altered": packed({**files, "receipts/0002.json": changed, "statement.json": agreed}),
        "missing": packed({name: data for name, data in files.items() if name != "receipts/0003.json"}),
        "unnamed": packed({**files, "receipts/0009.json": files["receipts/0001.json"]}),
        "left out": index_changed(lambda index: index["charges"].pop(), sums=True),
        "twice": index_changed(lambda index: index["charges"].append(index["charges"][0]), sums=True),
        "sums": index_changed(lambda index: index["sums"][0].update(energy_wh=1)),
        "sum twice": index_changed(lambda index: index["sums"].append(index["sums"][0])),
        "no sums": index_changed(lambda index: index["sums"].clear()),
        "cheaper rate": index_changed(lambda index: index["flat_rate"].update(price_per_kwh="0.3536"), rate=RATE),
    }
    said = asked(page, cases)
    assert {one["verdict"] for one in said.values()} == {"NOT VALID"}, said
    assert said["receipt altered"]["charges"][1] == ["NOT VALID", "altered", []]
    assert said["both altered"]["charges"][1] == ["NOT VALID", "", []]
    assert said["missing"]["charges"][2] == ["NOT VALID", "missing", []]
    assert said["unnamed"]["unnamed"] == ["receipts/0009.json"]
    assert said["left out"]["unnamed"] == ["receipts/0004.json"]
    assert said["twice"]["twice"] == ["1801"]
    assert all(said[name]["sums"] for name in ("sums", "sum twice", "no sums"))
    assert "amount_minor" in said["cheaper rate"]["charges"][0][2]


def test_figures_that_are_not_the_record_s_are_named(page: Page) -> None:
    """The sums fit."""
    values: Json = {"id": "77", "ledger_id": "1802", "station": "other", "started_at": "2026-03-01T07:00:00Z"}
    values |= {"stopped_at": "2026-03-01T11:00:00Z", "currency": "CHF", "signed_verdict": "VERIFIED"}
    values |= {"energy_wh": 7781, "amount_minor": 1}

    def other(name: str) -> bytes:
        return index_changed(lambda index: _put(index, name, values[name]), sums=True)

    said = asked(page, {name: other(name) for name in values})
    for name in values:
        assert said[name]["verdict"] == "NOT VALID"
        assert said[name]["charges"][0] == ["NOT VALID", "figures", [name]]


def _put(index: Json, name: str, value: Any) -> None:
    index["charges"][0][name] = value


def test_what_is_no_statement_is_not_read(page: Page) -> None:
    files = files_of(receipts())
    good = packed(files)
    index = files["statement.json"]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("statement.json", b" " * (17 * 1024 * 1024))
    cases = {
        "nothing": b"PK\5\6",
        "an empty ZIP": packed({}),
        "cut": good[:-1],
        "something behind": good + b"\0",
        "something in front": b"\0" * 4 + good,
        "something between": good[:200] + b"\0" + good[200:],
        "no index": packed({name: data for name, data in files.items() if name != "statement.json"}),
        "a stranger": packed({**files, "readme.txt": b"x"}),
        "a way out": packed({**files, "receipts/../../x.json": b"x"}),
        "a name twice": twice_named(files),
        "inside another": overlapping(files),
        "a lie about a size": lying(good),
        "another checksum": good.replace(struct.pack("<I", zlib.crc32(index)), struct.pack("<I", 1)),
        "a bomb": bomb.getvalue(),
        "index twice a member": packed(
            {**files, "statement.json": index.replace(b'"period"', b'"period": "2026-02", "period"', 1)}
        ),
        "index with a fraction": packed(
            {**files, "statement.json": index.replace(b'"energy_wh": 7780', b'"energy_wh": 7780.0', 1)}
        ),
        "index of another format": index_changed(lambda index: index.update(format="evportal-statement/2")),
        "a charge without hash": index_changed(lambda index: index["charges"][0].pop("sha256")),
        "a receipt elsewhere": index_changed(lambda index: _put(index, "file", "statement.csv")),
    }
    said = asked(page, cases)
    assert {name: one for name, one in said.items() if one["verdict"] != "NO STATEMENT"} == {}


def twice_named(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (*files.items(), ("statement_json", files["statement.json"])):
            archive.writestr(name, data)
    return out.getvalue().replace(b"statement_json", b"statement.json")


def overlapping(files: Mapping[str, bytes]) -> bytes:
    """The list names one file's bytes under two names."""
    data = packed(files)
    end = len(data) - 22
    count, size, start = struct.unpack_from("<H", data, end + 10)[0], *struct.unpack_from("<II", data, end + 12)
    listed = data[start:end]
    length = 46 + sum(struct.unpack_from("<HHH", listed, 28))
    again = listed[:length].replace(b"statement.json", b"statement_json")
    tail = struct.pack("<HHIIH", count + 1, count + 1, size + length, start, 0)
    return data[:end] + again + data[end : end + 8] + tail


def lying(data: bytes) -> bytes:
    """A file is one byte longer than head and list say."""
    size = struct.unpack_from("<I", data, 22)[0]
    return data.replace(struct.pack("<I", size), struct.pack("<I", size - 1))
