"""Who has a site looked at before the sweep does: charges that start and end, and whoever changes the limit."""

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app

from stations.charging.sessions import session_close, session_start
from stations.load import tasks
from stations.models import ChargingSession
from tests.stations.load.conftest import Yard

pytestmark = pytest.mark.django_db
Captured = Callable[..., Any]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a worker would be told."""
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, args, **_: found.append((task, *args)))
    return found


def test_a_charge_that_starts_and_ends_has_its_site_looked_at(
    sent: list[tuple[str, Any]], django_capture_on_commit_callbacks: Captured
) -> None:
    yard = Yard(32)
    station = yard.station("CP-1")
    start = {"transaction_id": "1", "started_at": yard.now, "meter_start_wh": 0}
    with django_capture_on_commit_callbacks(execute=True):
        session, _ = session_start(station=station, **start, source=ChargingSession.Source.OCPP)  # type: ignore[arg-type]
    assert ("stations.tasks.load_share", yard.site.pk) in sent
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        session_close(session=session, stopped_at=yard.now, meter_stop_wh=0)
    assert ("stations.tasks.load_share", yard.site.pk) in sent


def test_nobody_is_told_where_no_limit_is_in_force(
    sent: list[tuple[str, Any]], django_capture_on_commit_callbacks: Captured
) -> None:
    yard = Yard(32)
    yard.limit.enabled = False
    yard.limit.save()
    with django_capture_on_commit_callbacks(execute=True):
        yard.start(yard.station("CP-1"))
    assert not [task for task, *_ in sent if "load" in task]


def test_the_sweep_gives_each_site_a_task_which_comes_again_while_messages_are_on_their_way(
    sent: list[tuple[str, Any]],
) -> None:
    yard = Yard(32)
    yard.station("CP-1")
    tasks.load_sweep()
    assert sent == [("stations.tasks.load_share", yard.site.pk)]
    tasks.load_share(yard.site.pk)
    assert sent == [("stations.tasks.load_share", yard.site.pk)] * 2
    yard.look()
    sent.clear()
    tasks.load_share(yard.site.pk)
    assert sent == []
