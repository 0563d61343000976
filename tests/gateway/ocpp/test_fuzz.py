"""Messages made up from the schemas, right and wrong, and frames that are none: answered, or closed, each time."""

import os

import pytest

from dev.trials.fuzz.ocpp import told
from dev.trials.fuzz.ocpp_messages import VERSIONS, frames
from stations.models import OcppMessage
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.conftest import Make, Plug, Running

COUNT = int(os.environ.get("FUZZ_OCPP_MESSAGES", "900")) // len(VERSIONS)  # of each version; `make fuzz-ocpp`
SEED = int(os.environ.get("FUZZ_OCPP_SEED", "1"))


@pytest.mark.parametrize("version", VERSIONS)
def test_each_made_up_message_is_answered_and_others_go_on(
    gateway: Running, charger_row: Make, plug: Plug, version: str
) -> None:
    gateway.gateway.messages_per_s = 1_000_000
    station, credential = charger_row("CP-fuzz", outlets=3)
    other = plug(identity="CP-other")

    def opened() -> Charger:
        return Charger(gateway.url, station.identity, credential, version)

    found = told(lambda: opened().socket, frames(version, COUNT, SEED), version=version)
    assert sum(found.values()) == COUNT
    assert found["InternalError"] == 0, "a fault of ours: see the log"
    assert found["RESULT"] > 0 and found["closed"] < COUNT // 50, found
    assert other.call("Heartbeat")
    assert OcppMessage.objects.filter(station=station).count() >= COUNT
