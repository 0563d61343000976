"""A client generated from the OpenAPI document walks through the API as an integrator would."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evportal.openapi.pages import document
from stations.models import ChargingSession
from tests.api.conftest import Caller
from tests.portal.conftest import MakeSession

PACKAGE = "generated_portal_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("generated")
    (directory / "openapi.json").write_text(json.dumps(document()))
    (directory / "config.yml").write_text("post_hooks: []\n")
    tool = str(Path(sys.executable).with_name("openapi-python-client"))
    argv = [tool, "generate", "--path", "openapi.json", "--meta", "none", "--output-path", PACKAGE]
    argv += ["--config", "config.yml", "--fail-on-warning"]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(directory))
    yield directory
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


class Walk:
    """`call` does an operation by its operationId, and insists on the status that is expected."""

    def __init__(self, url: str, token: str) -> None:
        root: Any = importlib.import_module(PACKAGE)
        self.client = root.AuthenticatedClient(base_url=url, token=token)
        self.models: Any = importlib.import_module(f"{PACKAGE}.models")

    def call(self, operation: str, *path: Any, expect: int = 200, **arguments: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{operation.partition('_')[0]}.{operation}")
        answer = module.sync_detailed(*path, client=self.client, **arguments)
        assert answer.status_code == expect, answer.content
        return answer.parsed


@pytest.mark.django_db(transaction=True)
def test_it_walks_through_the_api(
    generated: Path, live_server: Any, operator_api: Caller, make_session: MakeSession
) -> None:
    session: ChargingSession = make_session()
    walk = Walk(live_server.url, operator_api.token)
    assert walk.call("me_get").name == "olga"
    chosen = {
        "ledger_state": walk.models.SessionsListLedgerState.RECORDED,
        "status": walk.models.SessionsListStatus.COMPLETED,
    }
    page = walk.call("sessions_list", limit=1, **chosen)
    assert page.results[0].id == session.pk and page.results[0].ledger.block_num == 1_234_567
    assert walk.call("sessions_get", session.pk).energy_wh == 7_780
    assert walk.call("sessions_meter_values", session.pk).results == []
    assert walk.call("sessions_ledger", session.pk).state == "recorded"
    assert walk.call("sessions_receipt", session.pk).to_dict()["format"] == "evportal-receipt/2"
    assert len(walk.call("sessions_proof", session.pk).steps) == 12
    assert walk.call("ledger_get").backlog == 0 and walk.call("statements_list").months == []

    body = walk.models.NewSiteBody(code="S2", name="Market hall")
    site = walk.call("sites_create", body=body, idempotency_key="once", expect=201)
    assert walk.call("sites_create", body=body, idempotency_key="once", expect=201) == site
    station = walk.models.NewStationBody(identity="CP-2", site="S2")
    assert walk.call("stations_create", body=station, expect=201).site == "S2"
    change = walk.models.PatchedSiteBody(name="Hall")
    assert walk.call("sites_update", "S2", body=change, if_match="*").name == "Hall"
    assert walk.call("sites_update", "S2", body=change, if_match='"old"', expect=412).code == "precondition_failed"
    assert [found.code for found in walk.call("sites_list").results] == ["S1", "S2"]
    assert walk.call("connectors_list", station="CP-HARBOUR-1").results[0].max_power_w == 22_000
    assert walk.call("tokens_list").results[0].linked and walk.call("tariffs_list").results == []

    hook = walk.call("webhooks_create", body=walk.models.WebhookBody(url="https://example.com/"), expect=201)
    assert hook.secret.startswith("whsec_")
    assert walk.call("webhooks_ping", hook.id, expect=202).event == "ping"
    assert walk.call("webhooks_deliveries", hook.id).results[0].status == "pending"
    walk.call("webhooks_delete", hook.id, expect=204)
    assert walk.call("webhooks_get", hook.id, expect=404).code == "not_found"
