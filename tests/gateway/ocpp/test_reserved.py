"""A charge that a reservation led to: since when its outlet was kept is known, and priced by its tariff."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from stations.charging.corrections import Figures, session_correct
from stations.models import ChargingSession, Command, IdToken, Reservation, Station, Tariff
from tests.gateway.ocpp.v2.stories import CARD, NOW, Story, register, story_make
from tests.gateway.ocpp.v16.station16 import Station16, charge

pytestmark = pytest.mark.django_db
ELEMENTS = [
    {
        "price_components": [{"type": "TIME", "price": "6", "step_size": 60}],
        "restrictions": {"reservation": "RESERVATION"},
    },
    {"price_components": [{"type": "ENERGY", "price": "0.5"}]},
]
EVSE = {"id": 1, "connectorId": 1}


@pytest.fixture(params=["2.0.1", "2.1"])
def story(request: pytest.FixtureRequest, ledger_apart: None) -> Story:
    story = story_make(request.param)
    story.station.site.tariff = Tariff.objects.create(code="R", name="Kept", currency="EUR", elements=ELEMENTS)
    story.station.site.save()
    return story


def reserved(station: Station, card: IdToken | None, since: Any, group: str = "") -> int:
    """The number of a reservation that the station accepted then."""
    kept = Command.objects.create(
        station=station, kind="reserve", state="ACCEPTED", sent_at=since, answered_at=since, valid_until=since
    )
    until = since + timedelta(hours=2)
    Reservation.objects.create(station=station, number=kept.pk, id_token=card, group=group, expires_at=until)
    return kept.pk


def charged(story: Story, number: int) -> ChargingSession:
    begin: dict[str, Any] = {"evse": EVSE, "idToken": CARD, "reservationId": number}
    story.event("Started", -60, meterValue=[register(1000, -60, "Transaction.Begin")], **begin)
    story.event("Updated", -30, meterValue=[register(2000, -30)])
    story.event("Ended", -5, evse=EVSE, meterValue=[register(3000, -5, "Transaction.End")])
    return story.charge()


def test_the_time_before_is_priced(story: Story) -> None:
    number = reserved(story.station, IdToken.objects.get(), NOW - timedelta(minutes=80))
    session = charged(story, number)
    assert session.reserved_at == NOW - timedelta(minutes=80)
    lines = [
        (line["kind"], line["quantity"], line["amount_minor"], line.get("reservation")) for line in session.cost_lines
    ]
    assert lines == [("TIME", 1_200, 200, "YES"), ("ENERGY", 2_000, 100, None)]
    assert session.cost_minor == 300 and Reservation.objects.get().state == "USED"
    assert session.stopped_at is not None
    figures = Figures(2_000, 300, session.started_at, session.stopped_at)
    _, replacement = session_correct(session=session, reason="The same once more.", figures=figures, by=None)
    assert replacement.cost_lines == session.cost_lines and replacement.reserved_at == session.reserved_at


def test_nobody_pays_for_what_was_kept_for_others(story: Story) -> None:
    other = IdToken.objects.create(uid="0499")
    session = charged(story, reserved(story.station, other, NOW - timedelta(minutes=80)))
    assert session.reserved_at is None and session.cost_minor == 100
    unknown = story_make(story.version, "CS-3")
    assert charged(unknown, 4711).reserved_at is None


def test_a_card_of_the_group_pays(story: Story) -> None:
    IdToken.objects.update(group="FLEET")
    number = reserved(story.station, None, NOW - timedelta(minutes=80), "FLEET")
    assert charged(story, number).cost_minor == 300


def test_a_station_of_1_6(cp: Station16) -> None:
    cp.start(0, tag="04A1")
    card = IdToken.objects.get(uid="04A1")
    cp.stop(int(ChargingSession.objects.get().transaction_id), 0)
    since = cp.now
    number = reserved(cp.station, card, since)
    cp.wait(20)
    begun = cp.start(0, tag="04A1", reservationId=number)["transactionId"]
    assert charge(begun).reserved_at == since and since <= timezone.now()
