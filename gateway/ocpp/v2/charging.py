"""Charges: TransactionEvent in all its forms, and meter values besides."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2 import metering
from gateway.ocpp.v2.noting import Kind, Severity, reservation_told
from gateway.ocpp.v2.telling import told_read, values_read
from gateway.ocpp.v2.tokens import id_token_info, token_read
from stations.charging.words import kwh
from stations.identifiers import letters
from stations.models import ChargingSession, Connector
from stations.tariffs.charged import Value

PERIODIC = frozenset({"MeterValuePeriodic", "MeterValueClock"})


def transaction_event(call: Call) -> Answer:
    """A charge begins, goes on or ends; never refused, as the energy has flowed."""
    payload = call.payload
    told = told_read(call, token_read(payload.get("idToken")))
    if told.token is None and (number := payload["transactionInfo"].get("remoteStartId")) is not None:
        told = replace(told, token=calls.start_token(call.station, number))
    heard = calls.transaction_told(station=call.station, told=told)
    answer: dict[str, Any] = {}
    if "idToken" in payload:
        answer["idTokenInfo"] = id_token_info(payload["idToken"], heard.authorization)
    answer |= cost_of(heard.session, told, calls.values_stored([heard.session])[heard.session.pk])
    _around(call, heard.session)
    return Answer(answer, session_id=heard.session.pk)


def cost_of(session: ChargingSession, told: calls.Told, stored: Sequence[Value] = ()) -> dict[str, Any]:
    """The cost so far, then the whole cost, as the driver is to see it; nothing without a tariff.

    `stored`: the values of the charge that are known besides, where its tariff asks for them.
    """
    if session.status == ChargingSession.Status.ACTIVE:
        return _so_far(session, told, stored)
    session = calls.counting_now(session)
    cost = calls.cost_of(session)
    if cost is None:
        return {}
    words = f"{kwh(session.energy_wh)} kWh, {cost} {session.currency}"
    message = {"format": "UTF8", "language": "en", "content": words}
    return {"totalCost": major(cost)} | ({"updatedPersonalMessage": message} if told.kind == "Ended" else {})


def _so_far(session: ChargingSession, told: calls.Told, stored: Sequence[Value]) -> dict[str, Any]:
    readings = metering.readings_of(told.samples)
    if not readings or session.meter_start_wh is None:
        return {}
    told_now = ((one.sampled_at, one.measurand, one.value, one.unit, one.phase) for one in told.samples)
    cost = calls.cost_so_far(session, max(readings[-1].wh - session.meter_start_wh, 0), [*stored, *told_now])
    return {} if cost is None else {"totalCost": major(calls.units(cost.minor, cost.currency))}


def major(amount: Decimal) -> float | int:
    """As a JSON number. A float's shortest text is the amount itself, up to 15 digits."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _around(call: Call, session: ChargingSession) -> None:
    """What a TransactionEvent tells besides the charge."""
    payload, info = call.payload, call.payload["transactionInfo"]
    if "reservationId" in payload:
        reservation_told(call, payload["reservationId"], "Used")
    if "remoteStartId" in info:
        calls.start_led_to(call.station, info["remoteStartId"], session)
    state = info.get("chargingState", "Idle")
    if state != "Idle" and payload["triggerReason"] not in PERIODIC:
        calls.connector_report(
            station=call.station,
            evse_id=session.connector.evse_id,
            connector_id=session.connector.connector_id,
            condition=calls.Condition(status=Connector.Status.OCCUPIED, said=state),
            at=calls.clock(call.station, payload["timestamp"], call.at).at,
            received_at=call.at,
        )
    if payload["eventType"] == "Ended" and "costDetails" in payload:
        _cost_compare(call, session)


def _cost_compare(call: Call, session: ChargingSession) -> None:
    """2.1: a station that works out the cost itself; ours counts, and where it says another somebody should look."""
    details = call.payload["costDetails"]
    total, currency = details["totalCost"]["total"], details["totalCost"]["currency"]
    said = total.get("inclTax", total.get("exclTax"))
    ours = calls.cost_of(calls.counting_now(session))
    same = said is not None and ours is not None and Decimal(repr(said)) == ours and currency == session.currency
    if same and not details.get("failureToCalculate"):
        return
    words = f"charge {session.transaction_id}: the station says a cost of {said} {currency}, here it is {ours}"
    calls.event_note(
        station=call.station,
        kind=Kind.OTHER,
        words=words,
        at=calls.clock(call.station, call.payload["timestamp"], call.at).at,
        severity=Severity.WARNING,
        data={"totalCost": details["totalCost"], "totalUsage": details["totalUsage"], "currency": session.currency},
    )


def meter_values(call: Call) -> Answer:
    """Of the charge at that EVSE, if one goes on; else only the message log keeps them."""
    return meter_values_many([call])[0]


# --- Many at once


def meter_values_many(messages: Sequence[Call]) -> list[Answer]:
    """The same of many."""
    found = calls.charge_values_many([values_read(call) for call in messages])
    return [Answer(session_id=session_id) for session_id in found]


def is_plain(call: Call) -> bool:
    """Whether a TransactionEvent only tells meter values of a charge that goes on."""
    payload = call.payload
    more = {"idToken", "reservationId", "costDetails"} & payload.keys() or "remoteStartId" in payload["transactionInfo"]
    return payload["eventType"] == "Updated" and payload["triggerReason"] in PERIODIC and not more


def transaction_events_many(messages: Sequence[Call]) -> list[Answer | None]:
    """Those of charges of which nothing is missing; None for the others, which open or complete a charge."""
    told = [told_read(call, None) for call in messages]
    numbers = [(call.station.pk, one.transaction_id) for call, one in zip(messages, told, strict=True)]
    known = calls.charges_known(numbers)
    stored = calls.values_stored(list(known.values()))
    answers, values = list[Answer | None](), list[calls.Values]()
    for call, one in zip(messages, told, strict=True):
        session = known.get((call.station.pk, letters(one.transaction_id)))
        if session is None or calls.is_missing(session, one):
            answers.append(None)
        else:
            values.append(calls.told_values(call.station, one))
            answers.append(Answer(cost_of(session, one, stored[session.pk]), session_id=session.pk))
    calls.charge_values_many(values)
    return answers
