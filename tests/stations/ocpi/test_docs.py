"""The partner's side in docs/ocpi.md, run as it stands."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from stations.models import OcpiPartner
from stations.ocpi.partners import partner_invite
from tests.stations.ocpi.conftest import Charge
from tests.stations.ocpi.receiver import Receiver

DOCS = Path(__file__).parents[3] / "docs" / "ocpi.md"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def test_the_lines_for_partners_work(
    live_server: LiveServer, transactional_db: None, charge: Charge, receiver: Receiver, tmp_path: Path
) -> None:
    row = charge()
    partner = OcpiPartner.objects.create(name="Eight volts", country_code="DE", party_id="8AC")
    script = re.search(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert script
    variables = {
        "PORTAL": live_server.url,
        "PARTNER": receiver.address,
        "TOKEN_A": partner_invite(partner=partner),
        "TOKEN_B": receiver.token_b,
    }
    done = subprocess.run(
        ["bash", "-eu", "-c", script[1]],
        env=os.environ | variables | {"no_proxy": "*"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(found) for found in re.findall(r"\{\"data\".*?\"timestamp\":\"[^\"]*\"\}", done.stdout)]
    assert [answer["status_code"] for answer in answers] == [1000] * 6
    assert answers[-1]["data"][0]["id"] == str(row.pk)
    assert "X-Total-Count: 1" in done.stdout and done.stdout.rstrip().endswith("}")
    partner.refresh_from_db()
    assert partner.status == OcpiPartner.Status.ENDED
