"""A site's limit from the database to commands: who is told what, in which order, and who is counted with what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from stations.commands.kinds import KINDS
from stations.commands.params import checked
from stations.load.services import outlet_release, outlets_to_release, site_share
from stations.load.standing import Layer
from stations.messages.holding import commands_prune
from stations.models import Command, LimitedOutlet, OutletLimit, SiteLimitPeriod, Station
from stations.models.load import WEEKDAYS
from tests.stations.load.conftest import State, Yard, amperes, until

NewYard = Callable[..., Yard]
pytestmark = pytest.mark.django_db


def test_each_outlet_gets_its_fallback_without_end(yard: NewYard) -> None:
    site = yard(32)
    for name in ("CP-1", "CP-2"):
        site.station(name, outlets=2)
    told = site.look()
    assert amperes(told) == [(name, "TxDefaultProfile/0", 8) for name in ("CP-1", "CP-1", "CP-2", "CP-2")]
    assert not any("valid_to" in one["profile"] for one in told)
    assert [one["evse_id"] for one in told] == [1, 2, 1, 2]
    assert site.shares == [8] * 4 and set(site.reasons) == {"FREE"}
    assert site.look() == []


def test_a_car_gets_all_after_the_others_gave_up_theirs(yard: NewYard) -> None:
    site = yard(32)
    first, second = site.station("CP-1"), site.station("CP-2")
    site.look()
    session = site.start(first)
    told = site.look()
    assert amperes(told) == [("CP-2", "TxDefaultProfile/1", 0), ("CP-1", "TxProfile/1", 32)]
    assert told[1]["transaction_id"] == session.transaction_id and until(told[1]) < until(told[0])
    assert site.shares == [32, 0] and site.reasons == ["SHARE", "KEPT"]
    site.start(second)
    told = site.look()
    assert amperes(told)[0] == ("CP-1", "TxProfile/1", 16) and ("CP-2", "TxProfile/1", 16) in amperes(told)
    assert site.shares == [16, 16]
    site.stop(session)
    site.look()
    assert site.shares == [0, 32] and site.accepted("CHARGE") == [None, 32]


def test_nobody_gets_more_before_the_others_have_answered(yard: NewYard) -> None:
    site = yard(32)
    first, second = site.station("CP-1"), site.station("CP-2")
    site.look()
    site.start(first)
    site.look()
    site.start(second)
    assert site_share(site_id=site.site.pk, now=site.now)
    (lower,) = Command.objects.filter(state=State.WAITING)
    assert lower.station == first
    site_share(site_id=site.site.pk, now=site.now)
    assert Command.objects.filter(state=State.WAITING).count() == 1  # not a second time
    site.answer(lower, State.TIMED_OUT)
    site_share(site_id=site.site.pk, now=site.now)
    assert {command.station for command in Command.objects.filter(state=State.WAITING)} == {first}
    site.look()
    assert site.accepted("CHARGE") == [16, 16]


def test_a_station_that_rejects_is_counted_with_what_it_has(yard: NewYard) -> None:
    site = yard(48)
    first, second = site.station("CP-1", max_amperage=20), site.station("CP-2")
    site.start(second)
    site.look(lambda command: State.REJECTED if command.station == first else State.ACCEPTED)
    assert site.shares == [20, 28] and site.reasons == ["REFUSES", "SHARE"]
    refused = OutletLimit.objects.get(outlet__station=first, layer="FALLBACK")
    assert refused.refused_at and refused.words == "rejected" and refused.amperes is None
    assert site.look() == []
    site.wait(minutes=6)  # asked again
    site.look()
    assert site.accepted("FALLBACK") == [20, 28] and site.shares == [0, 32]


def test_a_station_that_is_away_is_counted_with_what_it_was_told(yard: NewYard) -> None:
    site = yard(40)
    first, second = site.station("CP-1"), site.station("CP-2")
    session = site.start(first)
    site.look()
    Station.objects.filter(pk=first.pk).update(connection="")
    site.start(second)
    site.look()
    assert site.shares == [32, 8] and site.reasons == ["AWAY", "SHARE"]
    site.wait(minutes=12)  # its profile has ended: now it has its fallback
    told = site.look()
    assert {one["station"] for one in told} == {"CP-2"} and site.shares == [20, 20]
    site.stop(session)
    assert site.look() == [] and site.shares == [20, 20]


def test_one_that_never_spoke_is_counted_with_its_maximum(yard: NewYard) -> None:
    site = yard(40)
    old = Station.objects.create(site=site.site, identity="CP-0")
    old.connectors.create(max_power_w=3_680, power_type="AC_1_PHASE")
    site.start(site.station("CP-1"))
    site.look()
    assert site.shares == [16, 24]


def test_what_a_car_does_not_draw_the_others_get(yard: NewYard) -> None:
    site = yard(32)
    first, second = site.start(site.station("CP-1")), site.start(site.station("CP-2"))
    site.look()
    assert site.shares == [16, 16]
    site.wait(minutes=1)
    site.draws(first, L1=6.5, L2=6.4, L3=6.5)
    site.draws(second, L1=16, L2=16, L3=15.9)
    site.look()
    assert site.shares == [9, 23] and site.reasons == ["CAR", "SHARE"]
    site.wait(minutes=1)
    site.draws(first, L1=8.9, L2=8.9, L3=8.9)  # it takes all that it may: perhaps it wants more
    site.look()
    assert site.shares == [16, 16]


def test_a_car_on_one_phase_is_counted_on_it_where_the_wiring_is_known(yard: NewYard) -> None:
    site = yard(32)
    sessions = [site.start(site.station(f"CP-{number}")) for number in (1, 2)]
    site.look()
    LimitedOutlet.objects.filter(station__identity="CP-1").update(first_line=1)
    LimitedOutlet.objects.filter(station__identity="CP-2").update(first_line=3)
    site.wait(minutes=1)
    for session in sessions:
        site.draws(session, L1=16, L2=0, L3=0)
    told = site.look()
    assert list(LimitedOutlet.objects.order_by("pk").values_list("lines", flat=True)) == ["1", "3"]
    assert site.shares == [32, 32]
    raised = [one for one in told if one["profile"]["periods"][0]["limit"] == 32]
    assert [one["profile"]["periods"][0]["phases"] for one in raised] == [1, 1]


def test_turns_where_not_all_fit(yard: NewYard) -> None:
    site = yard(12)
    for number in (1, 2, 3):
        site.start(site.station(f"CP-{number}"))
    waits = set()
    for _ in range(3):
        site.look()
        assert sorted(site.shares, key=str) == [0, 6, 6]
        waits.add(site.shares.index(0))
        assert site.reasons[site.shares.index(0)] == "TURN"
        site.wait(minutes=15)
    assert waits == {0, 1, 2}


def test_the_schedule_is_kept_two_minutes_ahead(yard: NewYard) -> None:
    site = yard(32)
    soon = (site.now + timedelta(minutes=5)).astimezone(ZoneInfo("Europe/Berlin")).replace(second=0, microsecond=0)
    ends = (soon + timedelta(hours=2)).time()
    SiteLimitPeriod.objects.create(limit=site.limit, weekdays=WEEKDAYS, starts=soon.time(), ends=ends, amperes=10)
    site.start(site.station("CP-1"))
    told = site.look()
    assert site.shares == [32] and amperes(told)[0] == ("CP-1", "TxDefaultProfile/0", 10)
    charge = next(one for one in told if one["profile"]["purpose"] == "TxProfile")
    assert until(charge) < site.now + timedelta(minutes=5)
    site.wait(minutes=4)
    site.look()
    assert site.shares == [10]


def test_direct_current_is_told_in_watts(yard: NewYard) -> None:
    site = yard(100)
    session = site.start(site.station("CP-1", power_type="DC", max_power_w=50_000, max_amperage=None))
    told = site.look()
    (limit,) = {one["profile"]["periods"][0]["limit"] for one in told}
    assert limit == 81 * 230 * 3 * 9 // 10 and told[0]["profile"]["unit"] == "W"
    assert session.transaction_id in {one.get("transaction_id") for one in told}


def test_a_station_that_started_anew_is_told_again(yard: NewYard) -> None:
    site = yard(32)
    station = site.station("CP-1")
    site.look()
    site.wait(minutes=1)
    Station.objects.filter(pk=station.pk).update(booted_at=site.now)
    site.wait(seconds=1)
    assert amperes(site.look()) == [("CP-1", "TxDefaultProfile/0", 32)]
    assert site.look() == []


def test_a_charge_that_we_ended_is_counted_until_its_profile_ends(yard: NewYard) -> None:
    site = yard(32)
    first, second = site.station("CP-1"), site.station("CP-2")
    session = site.start(first)
    site.look()
    site.stop(session, "ended_by_operator")
    site.start(second)
    site.look()
    assert LimitedOutlet.objects.get(station=first).most_a == 32 and site.accepted("CHARGE")[1] is None
    site.wait(minutes=12)
    site.look()
    assert site.accepted("CHARGE")[1] == 32


def test_a_limit_that_is_switched_off_is_taken_back(yard: NewYard) -> None:
    site = yard(32)
    station = site.station("CP-1")
    site.look()
    site.limit.enabled = False
    site.limit.save()
    assert not site_share(site_id=site.site.pk)
    (outlet,) = outlets_to_release()
    outlet_release(outlet_id=outlet, now=site.now)
    command = Command.objects.get(station=station, kind="clear_profile")
    site.answer(command, State.ACCEPTED)
    for _ in range(2):
        outlet_release(outlet_id=outlet, now=site.now)
    assert outlets_to_release() == [] and not OutletLimit.objects.exists()


def test_what_is_asked_is_what_commands_take(yard: NewYard) -> None:
    site = yard(32)
    site.start(site.station("CP-1"))
    site.start(site.station("CP-2", version="2.0.1"))
    site.look()
    for command in Command.objects.all():
        assert checked(KINDS[command.kind].params, command.params, command.station.ocpp_version) == command.params


def test_a_look_that_changes_nothing_writes_one_row_a_site(yard: NewYard, django_assert_max_num_queries: Any) -> None:
    site = yard(64)
    for number in range(4):
        site.start(site.station(f"CP-{number}", outlets=2))
    site.look()
    with django_assert_max_num_queries(12) as asked:
        site_share(site_id=site.site.pk, now=site.now)
    assert [query["sql"].split()[0] for query in asked.captured_queries].count("UPDATE") == 1


def test_old_messages_are_forgotten_what_was_accepted_is_not(yard: NewYard) -> None:
    site = yard(32)
    site.station("CP-1")
    site.look()
    Command.objects.update(asked_at=timezone.now() - timedelta(days=31), state=Command.State.ACCEPTED)
    assert commands_prune() == 1
    assert site.accepted("FALLBACK") == [32] and site.look() == []


def test_the_rows_have_the_layers_of_the_pure_part() -> None:
    assert OutletLimit.LayerChoice.values == [layer.value for layer in Layer]


def test_figures_that_cannot_be_stop_nobody(yard: NewYard) -> None:
    site = yard(32)
    session = site.start(site.station("CP-1", max_amperage=10**9))
    site.start(site.station("CP-2"))
    site.look()
    site.wait(minutes=1)
    site.draws(session, L1=10**12, L2=-5, L3=0)
    site.look()
    assert site.shares == [16, 16] and LimitedOutlet.objects.get(session=session).drawn_a is None
