"""Simulated stations at the real gateway: what they charge is what is kept, to the watt-hour."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from dev.stations.by_hand import by_hand
from dev.stations.device import meter
from dev.stations.signing import meter_of
from stations.commands.asking import command_ask
from stations.commands.kinds import KINDS
from stations.metering.registering import key_add
from stations.models import ChargingSession, Command, Connector, SetAside, SignedMeterValue, Site, Station
from tests.gateway.ocpp.conftest import Make, Running, charger_row, gateway
from tests.stations.commands.examples import examples
from tests.waiting import until

__all__ = ["charger_row", "gateway"]

pytestmark = pytest.mark.django_db(transaction=True)
VERSIONS = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
UNDECIDED = ("WAITING", "SENT")
NOT_HERE = ("reset", "update_firmware", "set_credential")  # after which the station is away for a while
SECRET = "c0ffee"
CABLE_FIRST = {"TxCtrlr.TxStartPoint": "EVConnected"}


@VERSIONS
def test_a_whole_charge(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row(outlets=2)
    told: Any = {"outlets": 2, "settings": {} if version == "1.6" else CABLE_FIRST}
    with by_hand(gateway.url, station.identity, credential, version, **told) as cp:
        assert cp.start("35897499", outlet=2)
        began = meter.register_wh(cp.state.outlets[2], cp.faults)
        session = ChargingSession.objects.get()
        assert (session.status, session.connector.evse_id) == ("ACTIVE", 2)
        shown = [cp.meter(2, after_s=30) for _ in range(4)]
        assert Connector.objects.get(evse_id=2).status == "OCCUPIED"
        cp.stop(2)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("COMPLETED", shown[-1] - began)
    assert session.id_token and session.id_token.uid == "35897499"
    assert {value.measurand for value in session.meter_values.all()} >= {"Power.Active.Import"}
    row = Station.objects.get()
    assert (row.vendor, row.model, row.serial_number) == ("EVPortal", "Simulated", "SIM-CP-1")
    until(lambda: Connector.objects.get(evse_id=2).status == "AVAILABLE")


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_charge_that_the_meter_signs(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row(outlets=2)
    Site.objects.update(signed_required=True)
    meters = [meter_of(station.identity, SECRET, number) for number in (1, 2)]
    for made in meters:
        key_add(station=station, connector=None, meter_serial=made.serial, text=made.public_key.hex(), by=None)
    told: Any = {"outlets": 2, "meter_secret": SECRET, "settings": {} if version == "1.6" else CABLE_FIRST}
    with by_hand(gateway.url, station.identity, credential, version, **told) as cp:
        for outlet, times in ((2, 2), (1, 1)):
            for _ in range(times):
                cp.start("35897499", outlet=outlet)
                cp.meter(outlet, after_s=60, wh=700)
                cp.stop(outlet)
    sessions = list(ChargingSession.objects.order_by("started_at"))
    assert [(one.status, one.signed_verdict, one.energy_wh, one.flags) for one in sessions] == (
        [("COMPLETED", "VERIFIED", 700, [])] * 3
    )
    assert {one.meter_public_key for one in sessions} == {made.public_key.hex() for made in meters}
    contexts = [[value["context"] for value in one.signed_meter_values] for one in sessions]
    assert contexts == [["Transaction.Begin", "Transaction.End"]] * 3
    assert not SetAside.objects.exists() and not SignedMeterValue.objects.exists()


@VERSIONS
def test_killed_in_mid_charge_and_offline_it_loses_and_doubles_nothing(
    version: str, gateway: Running, charger_row: Make, tmp_path: Path
) -> None:
    station, credential = charger_row()
    reach = (gateway.url, station.identity, credential, version)
    with by_hand(*reach, state=tmp_path / "state.json") as cp:
        cp.start("35897499")
        cp.meter(after_s=60)
        cp.offline()
        cp.meter(after_s=60)
        cp.kill()
        energy = cp.state.outlets[1].meter_wh
    with by_hand(*reach, state=tmp_path / "state.json", timeout_s=1.0) as cp:
        assert cp.state.queue == [] and cp.state.outlets[1].meter_wh == energy
        session = ChargingSession.objects.get()
        assert session.status == "COMPLETED" and session.energy_wh == int(energy) - 100_000
        cp.start("35897499")
        cp.faults.lost_answers["StopTransaction" if version == "1.6" else "TransactionEvent"] = 1
        cp.stop()
        until(lambda: cp.state.queue == [])
    assert [one.status for one in ChargingSession.objects.order_by("started_at")] == ["COMPLETED"] * 2


@VERSIONS
def test_a_charge_goes_on_after_a_reboot(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    with by_hand(gateway.url, station.identity, credential, version, resumes=True) as cp:
        cp.start("35897499")
        cp.meter(after_s=60, wh=100)
        cp.reboot()
        cp.meter(after_s=60, wh=100)
        cp.stop()
    session = ChargingSession.objects.get()
    assert (session.status, session.energy_wh, session.flags) == ("COMPLETED", 200, [])


@VERSIONS
def test_every_command_of_the_portal_is_understood(version: str, gateway: Running, charger_row: Make) -> None:
    """The least and the most that can be said of each; none is answered with an error, or not at all."""
    station, credential = charger_row(outlets=2)
    told = [kind for kind in KINDS.values() if version in kind.versions and kind.name not in NOT_HERE]
    with by_hand(gateway.url, station.identity, credential, version, outlets=2) as cp:
        for kind in told:
            for params in islice(examples(kind, version), 2):
                command_ask(station=station, kind=kind.name, params=params)
        until(lambda: not Command.objects.filter(state__in=UNDECIDED).exists())
        cp.quiet()
    outcomes = {(one.kind, one.state) for one in Command.objects.all()}
    assert {kind for kind, _ in outcomes} == {kind.name for kind in told}
    assert outcomes >= {(kind, "ACCEPTED") for kind in ("remote_start", "set_profile", "get_log", "send_local_list")}
    sent = Command.objects.exclude(sent_at=None).values_list("state", flat=True)  # others this version cannot say
    assert set(sent) <= {"ACCEPTED", "REJECTED"}


@VERSIONS
def test_an_error_for_an_answer_is_an_outcome_too(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    with by_hand(gateway.url, station.identity, credential, version) as cp:
        cp.station.commands = {}
        command = command_ask(station=station, kind="clear_cache")
        until(lambda: Command.objects.get().state not in UNDECIDED)
    command.refresh_from_db()
    assert command.state == "UNSUPPORTED" and command.words.startswith("NotImplemented")


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_the_program_waits_for_a_command_gets_a_cable_and_charges(
    version: str, gateway: Running, charger_row: Make, tmp_path: Path
) -> None:
    station, credential = charger_row()
    every_second = {"MeterValueSampleInterval" if version == "1.6" else "SampledDataCtrlr.TxUpdatedInterval": "1"}
    told = {"identity": station.identity, "credential": credential, "version": version, "settings": every_second}
    (tmp_path / "stations.json").write_text(json.dumps([told]))
    command = [sys.executable, "-m", "dev.stations", "run", "--gateway", gateway.url]
    command += ["--stations", str(tmp_path / "stations.json"), "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            until(lambda: Connector.objects.get().status == "AVAILABLE")
            command_ask(station=station, kind="remote_start", params={"id_token": {"uid": "35897499"}})
            session = until(lambda: ChargingSession.objects.filter(meter_values__isnull=False).first())
            assert session is not None and session.status == "ACTIVE"
            stop = {"transaction_id": session.transaction_id}
            command_ask(station=station, kind="remote_stop", params=stop)
            until(lambda: ChargingSession.objects.get().status == "COMPLETED")
            assert ChargingSession.objects.get().stop_reason == "Remote"
        finally:
            program.terminate()
            said = program.communicate(timeout=30)[0]
        assert program.returncode == 0 and "obeys" in said
