"""The demo's simulated stations: described whole, made once, and charging at a real gateway with the demo's cards."""

import json
from pathlib import Path

import pytest

from dev.stack.live import STATIONS, ensure_live_stations
from dev.stations.device.state import State
from dev.stations.device.told import Told
from stations.models import Connector, IdToken, MeterPublicKey, Site, Station, Tariff
from stations.ocpi.published import gaps

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tokens() -> list[IdToken]:
    return [IdToken.objects.create(uid=f"3589749{number}", type=IdToken.Type.CENTRAL) for number in range(5)]


@pytest.fixture
def file(tmp_path: Path, tokens: list[IdToken]) -> Path:
    path = tmp_path / "live_stations.json"
    ensure_live_stations(path, tokens)
    return path


def told(file: Path) -> list[Told]:
    return [Told.read(one) for one in json.loads(file.read_text())]


def test_they_are_described_whole_and_made_once(file: Path, tokens: list[IdToken]) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text()
    Station.objects.filter(identity="DEMO-LIVE-2").update(vendor="changed by somebody")
    ensure_live_stations(file, tokens)
    keys = MeterPublicKey.objects.values_list("station__identity", "state", "source")
    assert sorted(keys) == [(identity, "CONFIRMED", "ADMIN") for identity in ("DEMO-LIVE-1", "DEMO-LIVE-3")]
    assert file.read_text() == first, "the stations go on with the credentials that they have"
    assert Station.objects.count() == len(STATIONS) and Tariff.objects.count() == 1
    assert Station.objects.get(identity="DEMO-LIVE-2").vendor == "changed by somebody"
    assert gaps(Site.objects.get()) == [] and [gaps(one) for one in Connector.objects.all()] == [[]] * 5
    Station.objects.update(credential_hash="")  # withdrawn, or another database
    ensure_live_stations(file, tokens)
    assert file.read_text() != first and not Station.objects.filter(credential_hash="").exists()


def test_each_outlet_has_a_card_of_its_own(file: Path) -> None:
    cards = [token.uid for one in told(file) for token in one.tokens]
    assert cards == ["35897490", "35897491", "35897492", "35897493", "35897494"]
    assert [(one.version, one.outlets, one.current) for one in told(file)] == [
        ("1.6", 1, "AC"), ("1.6", 2, "AC"), ("2.0.1", 1, "AC"), ("2.1", 1, "DC")
    ]  # fmt: skip


def test_a_new_credential_of_the_file_goes_before_the_one_that_the_station_keeps(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    kept = State.found(path, outlets=1, credential="first", firmware="1")
    kept.credential = "rotated by the CSMS"
    kept.keep()
    assert State.found(path, outlets=1, credential="first", firmware="1").credential == "rotated by the CSMS"
    assert State.found(path, outlets=1, credential="second", firmware="1").credential == "second"
