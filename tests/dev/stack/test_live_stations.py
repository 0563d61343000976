"""The demo's simulated stations report through the real address; what they must not forget outlives a kill."""

import json
import threading
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from dev.parts import station as simulated
from dev.parts.station import Simulated, State, energy_until, power_at
from dev.parts.station import Station as Simulator
from dev.stack.live import STATIONS, ensure_live_stations
from stations.models import ChargingSession, Connector, IdToken, Site, Station, Tariff
from stations.ocpi.published import gaps
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    token = IdToken.objects.create(uid="35897499", type=IdToken.Type.CENTRAL)
    path = tmp_path / "live_stations.json"
    ensure_live_stations(path, [token])
    return path


def told(file: Path) -> Simulated:
    """The first station, in a hurry."""
    first = json.loads(file.read_text())[0]
    return Simulated(**first | {"charge_s": 1.5, "pause_s": 600.0})


def test_they_are_described_whole_and_made_once(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text()
    Station.objects.filter(identity="DEMO-LIVE-2").update(vendor="changed by somebody")
    ensure_live_stations(file, [IdToken.objects.get()])
    assert file.read_text() == first, "the stations go on with the credentials that they have"
    assert Station.objects.count() == len(STATIONS) and Tariff.objects.count() == 1
    assert Station.objects.get(identity="DEMO-LIVE-2").vendor == "changed by somebody"
    assert gaps(Site.objects.get()) == [] and [gaps(one) for one in Connector.objects.all()] == [[], []]
    Station.objects.update(credential_hash="")  # withdrawn, or another database
    ensure_live_stations(file, [IdToken.objects.get()])
    assert file.read_text() != first and not Station.objects.filter(credential_hash="").exists()


def test_a_charge_is_started_metered_stopped_and_priced(
    file: Path, tmp_path: Path, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "SAMPLE_EVERY_S", 0.3)
    monkeypatch.setattr(simulated, "energy_until", lambda second, *_: round(second * 100))
    ended = threading.Event()
    one = Simulator(told(file), State.found(tmp_path / "state.json"), live_server.url, ended)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        until(lambda: ChargingSession.objects.filter(status="ACTIVE", meter_values__isnull=False).exists())
        until(lambda: ChargingSession.objects.filter(status="COMPLETED").exists())
    finally:
        ended.set()
        thread.join(timeout=30)
    session = ChargingSession.objects.get()
    assert (session.source, session.stop_reason, session.flags) == ("STATION", "EVDisconnected", [])
    assert session.energy_wh and session.cost_minor and session.tariff["id"] == "US*EVP*DEMO"
    assert session.id_token and session.id_token.uid == "35897499"
    assert {value.measurand for value in session.meter_values.all()} >= {"Power.Active.Import"}
    assert State.found(tmp_path / "state.json").charge == ""


def test_a_charge_that_a_kill_cut_off_is_ended_with_what_the_meter_showed(
    file: Path, tmp_path: Path, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "AGAIN_AFTER_S", 0.1)
    path = tmp_path / "state.json"
    ended = threading.Event()
    killed = Simulator(told(file), State.found(path), live_server.url, ended)
    monkeypatch.setattr(killed, "_stop", lambda reason: ended.set())  # killed: it says no more
    killed._charge()
    assert ChargingSession.objects.get().status == "ACTIVE" and State.found(path).charge
    again = Simulator(told(file), State.found(path), live_server.url, ended)
    again.run(first_pause_s=600)
    session = ChargingSession.objects.get()
    assert (session.status, session.stop_reason) == ("COMPLETED", "PowerLoss")
    assert State.found(path).charge == ""


def test_a_portal_that_is_away_is_asked_again(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "AGAIN_AFTER_S", 0.05)
    ended = threading.Event()
    one = Simulator(told(file), State.found(tmp_path / "state.json"), "http://127.0.0.1:9", ended)
    threading.Timer(0.3, ended.set).start()
    one._charge()
    assert State.found(tmp_path / "state.json").charge, "not told, not forgotten"


def test_the_power_rises_stays_and_falls() -> None:
    curve = [power_at(second, 720, 11_000) for second in range(0, 721, 10)]
    assert curve[0] == 0 and max(curve) == 11_000 and 0 < curve[-1] < 5_000
    energy = [energy_until(second, 720, 11_000) for second in range(0, 721, 60)]
    assert energy == sorted(energy) and energy[-1] <= 11_000 * 720 / 3600
