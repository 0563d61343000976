"""A simulated station climbs from a password over TLS to a certificate of its own, signed by the key in the TPM."""

from pathlib import Path

import pytest

from dev.stations.by_hand import by_hand
from stations.certificates.tasks import certificate_sign
from stations.commands.asking import command_ask
from stations.models import CertificateRequest, Command, StationAuthority, StationCertificate
from tests.gateway.ocpp.conftest import Make, Running, charger_row
from tests.gateway.ocpp.test_profiles import secure
from tests.stations.certificates.conftest import root, tpm
from tests.waiting import until

__all__ = ["charger_row", "root", "secure", "tpm"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.tpm]


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_from_profile_2_to_profile_3(
    version: str, secure: Running, charger_row: Make, root: StationAuthority, tmp_path: Path
) -> None:
    station, credential = charger_row(security_profile=2)
    (tmp_path / "root.pem").write_text(root.certificate_pem)
    owner = "CpoName" if version == "1.6" else "SecurityCtrlr.OrganizationName"
    told = {"ca": tmp_path / "root.pem", "state": tmp_path / "state.json", "settings": {owner: "Harbour Charging"}}
    reach = (secure.url.replace("ws://", "wss://"), station.identity, credential, version)
    with by_hand(*reach, **told) as cp:
        trigger = "SignChargePointCertificate" if version == "1.6" else "SignChargingStationCertificate"
        command_ask(station=station, kind="trigger_message", params={"message": trigger})
        asked = until(lambda: list(CertificateRequest.objects.filter(state="WAITING")))[0]
        certificate_sign(asked.pk)
        until(lambda: cp.state.chain)
        until(lambda: not Command.objects.filter(state__in=("WAITING", "SENT")).exists())
    station.security_profile = 3
    station.save()
    with by_hand(*reach, **told) as cp:
        assert cp.start("35897499")
        cp.stop()
    certificate = StationCertificate.objects.get(station=station)
    assert certificate.first_used_at is not None
