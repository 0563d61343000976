"""The sample of the first page: how it is made, and that it is what all verifiers say of it.

SAMPLE_TO=portal/welcome/sample.json make test ARGS=tests/portal/welcome/test_sample.py   makes it anew
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from dev.chain.nodeos import Nodeos
from ledger.models import LedgerEntry
from ledger.receipts import checks, receipt
from ledger.receipts.node_reader import NodeReader
from ledger.receipts.published import pins_of
from portal.welcome.sample import FILE
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.signals import sessions_closed
from tests.browser_check import check_page, run
from tests.conftest import LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.vectors.loading import vector_of
from tests.vectors.verifiers import Said, portal, script

pytestmark = pytest.mark.browser
PINS = {"key": "public_key", "chain_id": "chain_id", "ak": "ak", "account": "account"}
PINS |= {"code_hash": "code_hash", "code_updated": "code_updated"}


class Heard(NodeReader):
    """A real node, and what it answered."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answers: list[dict[str, Any]] = []

    def post(self, call: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        status, data = super().post(call, body)
        one = {"call": call, "body": dict(body), "status": status, "text": data.decode()}
        if one not in self.answers:
            self.answers.append(one)
        return status, data


@pytest.mark.django_db(transaction=True)
def test_a_sample_made_now_is_verified(ledger_account: LedgerAccount, second_node: Nodeos, settings: Settings) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    session = charged()
    drive(all_recorded)
    content, pins = checks.receipt_for(session), pins_of(LedgerEntry.objects.get(session=session))
    assert pins is not None
    nodes = [Heard(url) for url in settings.LEDGER_NODES]
    check = receipt.verify(content, nodes, pins)
    made = {
        "name": "sample",
        "why": "a session that this portal recorded, for the first page",
        "receipt": {"text": receipt.dumps(content)},
        "pins": {name: getattr(pins, theirs) for name, theirs in PINS.items()},
        "nodes": [{"url": node.url, "answers": f"node {number}"} for number, node in enumerate(nodes, start=1)],
        "answers": {f"node {number}": node.answers for number, node in enumerate(nodes, start=1)},
        "right": portal_says(check),
    }
    assert check.verdict == "VERIFIED"
    verified_by_all(made)
    if path := os.environ.get("SAMPLE_TO"):
        Path(path).write_text(json.dumps(made, indent=1) + "\n")


def charged() -> ChargingSession:
    """Somebody's charge, of which nothing is in other tests: a stranger reads it."""
    site = Site.objects.create(code="MARKET", name="Market square", country="DEU", time_zone="Europe/Berlin")
    station = Station.objects.create(site=site, identity="CP-MARKET-2")
    started_at = datetime(2026, 11, 28, 13, 5, tzinfo=UTC)
    session = ChargingSession(
        station=station,
        connector=Connector.objects.create(station=station, max_power_w=22_000),
        transaction_id="2026-11-28/17",
        id_token=IdToken.objects.create(uid="04E5F6A7B8C9D0"),
        location={"id": site.code, "name": site.name, "country": site.country, "time_zone": site.time_zone},
        status=ChargingSession.Status.COMPLETED,
        started_at=started_at,
        stopped_at=started_at + timedelta(minutes=52),
        meter_start_wh=8_120_400,
        meter_stop_wh=8_132_740,
        energy_wh=12_340,
        cost_minor=469,
        currency="EUR",
        stop_reason="EVDisconnected",
        source=ChargingSession.Source.STATION,
    )
    with transaction.atomic():
        session.save()
        sessions_closed.send(sender=ChargingSession, sessions=[session])
    return session


def portal_says(check: receipt.Check) -> dict[str, Any]:
    names = ("credited", "producers", "replaceable_by", "hosts", "signed")
    notices = {name: getattr(check.notices, name) for name in names}
    return {"verdict": check.verdict, "steps": [step.outcome for step in check.steps], "notices": notices}


def verified_by_all(content: dict[str, Any]) -> None:
    vector = vector_of(json.loads(json.dumps(content)))
    assert portal(vector) == script(vector) == Said.right(vector)
    with check_page() as page:
        (said,) = run(page, [vector])
    assert (said.verdict, said.outcomes) == ("VERIFIED", ["ok"] * 12), said.steps


def test_the_kept_sample_is_verified_by_portal_script_and_browser() -> None:
    verified_by_all(json.loads(FILE.read_text()))
