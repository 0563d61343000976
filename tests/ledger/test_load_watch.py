"""A site that draws more than its limit allows raises an alert, once it has done so for some minutes."""

from datetime import timedelta

import pytest

from ledger.models import Alert
from ledger.recording.tasks import watch_load
from stations.models import SiteLimit
from tests.stations.load.conftest import Yard, yard

__all__ = ["yard"]
pytestmark = pytest.mark.django_db


def test_a_limit_that_is_not_held_is_told_and_closes_by_itself(yard: type[Yard]) -> None:
    site = yard(16)
    site.now -= timedelta(minutes=10)
    session = site.start(site.station("CP-1"))
    site.look()
    site.wait(minutes=1)
    site.draws(session, L1=16.7, L2=16, L3=0)  # as exact as a meter is
    site.look()
    assert SiteLimit.objects.get().exceeded_since is None
    site.wait(minutes=1)
    site.draws(session, L1=20.2, L2=16, L3=0)
    site.look()
    since = SiteLimit.objects.get().exceeded_since
    assert since == site.now
    site.wait(minutes=5)
    site.draws(session, L1=21, L2=16, L3=0)
    site.look()
    assert SiteLimit.objects.get().exceeded_since == since and watch_load() == 1 == watch_load()
    alert = Alert.objects.get()
    assert (alert.code, alert.subject, alert.count) == ("load_limit", "site YARD", 2)
    assert "21.0 A" in alert.message and "charging profiles" in alert.what_to_do
    site.wait(minutes=1)
    site.draws(session, L1=15, L2=15, L3=0)
    site.look()
    assert watch_load() == 0 and Alert.objects.get().closed_at
    assert SiteLimit.objects.get().exceeded_a is None


def test_a_moment_and_what_is_long_past_raise_nothing(yard: type[Yard]) -> None:
    site = yard(16)
    session = site.start(site.station("CP-1"))
    site.draws(session, L1=25)
    site.look()
    assert SiteLimit.objects.get().exceeded_since and watch_load() == 0
    site.wait(minutes=16)
    site.look()
    assert SiteLimit.objects.get().exceeded_since is None
    SiteLimit.objects.update(exceeded_since=site.now - timedelta(hours=1), enabled=False)
    assert watch_load() == 0
