"""The cost so far of charges that go on, sent to stations of OCPP 2.x that can show it (CostUpdated).

A TransactionEvent is answered with the cost (`totalCost`); values that come by MeterValues change it, and their answer
has no room for it. So those alone are followed by a message: where the amount is another one than the station was told
last, by an answer or by a message, and not more often than each `PAUSE`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from stations.charging.reported_values import values_stored
from stations.commands.asking import command_ask
from stations.models import ChargingSession, Command, MeterValue, OcppMessage, StationVariable
from stations.tariffs import charged
from stations.tariffs.pricing import units

KIND = "cost_updated"
VERSIONS = ("2.0.1", "2.1")
PAUSE = timedelta(seconds=30)
VALID_FOR = timedelta(seconds=60)  # later the amount is another one
ASK_AGAIN_AFTER = timedelta(days=1)  # a station that did not take one
UNABLE = (Command.State.REFUSED, Command.State.REJECTED, Command.State.UNSUPPORTED)
COMPONENT, INSTANCE = "TariffCostCtrlr", "Cost"


def costs_show(sessions: Collection[str]) -> list[str]:
    """Ask stations to show what these cost; returns those that were told just now, to be looked at after `PAUSE`."""
    now = timezone.now()
    charges = _shown_by_stations(sessions, now)
    told, costs = _told([charge.pk for charge in charges]), _costs(charges)
    early = []
    for charge in charges:
        at, amount = told.get(charge.pk, (None, None))
        cost = costs.get(charge.pk)
        if cost is None or cost == amount:
            continue
        if at is not None and at > now - PAUSE:
            early.append(str(charge.pk))
            continue
        params = {"transaction_id": charge.transaction_id, "total_cost": _number(cost)}
        command_ask(station=charge.station, kind=KIND, params=params, session=charge, valid_for=VALID_FOR)
    return early


def _number(amount: Decimal) -> float | int:
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _shown_by_stations(sessions: Collection[str], now: datetime) -> list[ChargingSession]:
    """Those that go on, under a tariff, at stations that are not known to be unable."""
    rows = ChargingSession.objects.filter(pk__in=sessions, status=ChargingSession.Status.ACTIVE)
    rows = rows.filter(station__ocpp_version__in=VERSIONS, station__enabled=True).exclude(tariff={})
    charges = [charge for charge in rows.select_related("station") if charge.tariff]
    stations = {charge.station_id for charge in charges}
    said = StationVariable.objects.filter(
        station__in=stations, component__iexact=COMPONENT, instance__iexact=INSTANCE, attribute="Actual"
    )
    off = {
        station
        for station, name, value in said.values_list("station", "variable", "value")
        if name.lower() in {"available", "enabled"} and value.strip().lower() == "false"
    }
    last = Command.objects.filter(station__in=stations - off, kind=KIND, asked_at__gt=now - ASK_AGAIN_AFTER)
    newest = last.order_by().values("station").annotate(last=Max("pk")).values("last")
    off |= set(Command.objects.filter(pk__in=newest, state__in=UNABLE).values_list("station", flat=True))
    return [charge for charge in charges if charge.station_id not in off]


def _costs(charges: Sequence[ChargingSession]) -> dict[UUID, Decimal]:
    """In units of each currency, as far as the newest value of each."""
    registers: dict[UUID, tuple[datetime, Decimal]] = {}
    rows = MeterValue.objects.filter(session__in=[one.pk for one in charges], measurand=charged.REGISTER, phase="")
    for pk, at, value, unit in rows.order_by().values_list("session", "sampled_at", "value", "unit"):
        if unit in charged.SCALES and (pk not in registers or registers[pk][0] < at):
            registers[pk] = (at, value * charged.SCALES[unit])
    stored = values_stored(charges)
    found = {}
    for charge in charges:
        if charge.pk not in registers or charge.told_start_wh is None:
            continue
        used = max(int(registers[charge.pk][1]) - charge.told_start_wh, 0)
        if (cost := charged.cost_so_far(charge, used, stored[charge.pk])) is not None:
            found[charge.pk] = units(cost.minor, cost.currency)
    return found


def _told(sessions: Sequence[UUID]) -> dict[UUID, tuple[datetime, Decimal]]:
    """When and which amount the station heard last, by a message of ours or by an answer to its own."""
    asked = Command.objects.filter(session__in=sessions, kind=KIND).order_by()
    newest = Command.objects.filter(pk__in=asked.values("session").annotate(last=Max("pk")).values("last"))
    heard = [(one.session_id, one.asked_at, one.params.get("total_cost")) for one in newest]
    answers = OcppMessage.objects.filter(
        session__in=sessions,
        direction=OcppMessage.Direction.OUT,
        kind=OcppMessage.Kind.RESULT,
        action="TransactionEvent",
        text__contains='"totalCost"',
    ).order_by()
    last = OcppMessage.objects.filter(pk__in=answers.values("session").annotate(last=Max("pk")).values("last"))
    heard += [(one.session_id, one.at, _answered(one.text).get("totalCost")) for one in last]
    found: dict[UUID, tuple[datetime, Decimal]] = {}
    for session, at, amount in heard:
        if session and isinstance(amount, int | float) and (session not in found or found[session][0] < at):
            found[session] = (at, Decimal(repr(amount)))
    return found


def _answered(text: str) -> Mapping[str, Any]:
    """The payload of a CALLRESULT in the log."""
    frame = json.loads(text)
    return frame[2] if isinstance(frame, list) and len(frame) == 3 and isinstance(frame[2], dict) else {}
