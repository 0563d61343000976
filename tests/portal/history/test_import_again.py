"""The history's CSV goes round: into this portal it doubles nothing, into another it brings the same sessions."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from ledger.models import LedgerEntry
from stations.models import ChargingSession, Connector, Site, Station
from stations.signals import sessions_closed
from tests.portal.conftest import MakeSession
from tests.stations.test_importing import run

pytestmark = pytest.mark.django_db
FIGURES = ("pk", "started_at", "stopped_at", "energy_wh", "cost_minor", "currency", "status", "transaction_id")


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_history_goes_round(
    language: str, browser: Client, make_session: MakeSession, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    sessions = [make_session(), make_session()]
    Site.objects.update(name="Zürich; =Straße, Süd")
    path = tmp_path / "history.csv"
    response = browser.get("/history.csv", headers={"accept-language": language})
    path.write_bytes(b"".join(response))
    with translation.override(language):
        status, told, error = run(path, capsys, time_zone="")
    assert (status, error) == (0, "") and "0 imported, 2 already there" in told
    before = list(ChargingSession.objects.order_by("pk").values_list(*FIGURES))

    monkeypatch.setattr(sessions_closed, "send", lambda **kwargs: None)  # no TPM here
    LedgerEntry.objects.all().delete()
    for model in (ChargingSession, Connector, Station, Site):
        model.objects.all().delete()
    status, told, error = run(path, capsys, time_zone="")
    assert (status, error) == (0, "") and "2 imported" in told
    assert list(ChargingSession.objects.order_by("pk").values_list(*FIGURES)) == before and len(sessions) == 2
    station = Station.objects.get()
    assert station.identity == "CP-HARBOUR-1" and station.site.time_zone == "Europe/Berlin"
