"""Sessions that an import makes past Django's own way are what Django would have made."""

import uuid
from datetime import UTC, datetime

import pytest

from stations.imports.file import DEFAULTS, session_new
from stations.models import ChargingSession, Connector, Site, Station


@pytest.mark.django_db
def test_a_session_is_as_django_makes_it() -> None:
    station = Station.objects.create(identity="CP", site=Site.objects.create(code="S", name="S"))
    connector = Connector.objects.create(station=station)
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    known = {"id": uuid.uuid4(), "transaction_id": "1", "status": "COMPLETED", "source": "IMPORT", "energy_wh": 1}
    known |= {"started_at": at, "stopped_at": at, "heard_at": at}
    ours = session_new(
        {"station": station, "connector": connector, "id_token": None},
        station_id=station.pk,
        connector_id=connector.pk,
        **known,
    )
    theirs = ChargingSession(station=station, connector=connector, id_token=None, **known)
    values = [{name: getattr(one, name) for name in DEFAULTS} for one in (ours, theirs)]
    assert values[0] == values[1] and vars(ours).keys() == vars(theirs).keys()
    assert ours == theirs and ours._state.adding and ours.station is station and ours.id_token is None
    ours.save()
    assert ChargingSession.objects.get() == theirs
