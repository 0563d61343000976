"""OCPP 1.6: StartTransaction, MeterValues, StopTransaction. The energy has flowed: none of them is ever refused."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v16.cards import id_tag_info
from gateway.ocpp.v16.metering import read

RESERVE = ("reserve",)


def start_transaction(call: Call) -> Answer:
    """The charge has a number of ours, the same each time it is told."""
    payload = call.payload
    begun = calls.charge_start(
        station=call.station,
        evse_id=outlet_number(payload["connectorId"]),
        token=calls.token_ref(payload["idTag"]),
        said=calls.said(call.station, payload["timestamp"], call.at),
        meter_start_wh=int(payload["meterStart"]),
        received_at=call.at,
    )
    if (reservation := payload.get("reservationId")) is not None and begun.created:
        calls.command_progress(station=call.station, kinds=RESERVE, request_id=reservation, progress="Used", at=call.at)
    return _started(begun)


def start_transaction_many(together: Sequence[Call]) -> list[Answer | None]:
    """Those that are plain, in as many queries as one."""
    starts = [
        calls.Start(
            station=call.station,
            evse_id=outlet_number(call.payload["connectorId"]),
            token=calls.token_ref(call.payload["idTag"]) or calls.TokenRef(""),
            said=calls.said(call.station, call.payload["timestamp"], call.at),
            meter_start_wh=int(call.payload["meterStart"]),
            received_at=call.at,
        )
        for call in together
    ]
    return [_started(begun) if begun else None for begun in calls.charges_start(starts)]


def _started(begun: calls.Begun) -> Answer:
    answer = {"transactionId": int(begun.session.transaction_id), "idTagInfo": id_tag_info(begun.authorization)}
    return Answer(answer, begun.session.pk)


def outlet_number(said: int) -> int:
    """Connectors are counted from 1, and 0 is the whole station: nobody charges there, but stations with one say it."""
    return said if said > 0 else 1


def meter_values(call: Call) -> Answer:
    """Also those of no charge are answered: meters report while nobody charges."""
    return Answer({}, calls.charge_values(values_of(call)))


def meter_values_many(together: Sequence[Call]) -> list[Answer]:
    """Many stations' at once, in as many queries as one's."""
    return [Answer({}, pk) for pk in calls.charge_values_many([values_of(call) for call in together])]


def values_of(call: Call) -> calls.Values:
    """What the message says, with nothing looked up: many are stored at once (calls.charge_values_many)."""
    number = call.payload.get("transactionId")
    samples, asides = read(call.payload["meterValue"], partial(_time, call))
    signed, unread = calls.signed_of(call.payload["meterValue"])
    return calls.Values(
        station=call.station,
        evse_id=call.payload["connectorId"],
        number=str(number) if number is not None and number > 0 else None,  # 0 and -1: none
        samples=samples,
        received_at=call.at,
        message=call.payload,
        asides=[*asides, *unread],
        signed=signed,
    )


def _time(call: Call, text: object) -> datetime:
    return calls.said(call.station, text, call.at).at


def stop_transaction(call: Call) -> Answer:
    """The end, with what the station tells of the charge besides (transactionData)."""
    payload = call.payload
    token = calls.token_ref(payload.get("idTag"))
    told = payload.get("transactionData") or ()
    samples, asides = read(told, partial(_time, call))
    signed, unread = calls.signed_of(told)
    session = calls.charge_stop(
        station=call.station,
        number=str(payload["transactionId"]),
        token=token,
        said=calls.said(call.station, payload["timestamp"], call.at),
        meter_stop_wh=int(payload["meterStop"]),
        stop_reason=payload.get("reason") or "Local",  # OCPP 1.6, 7.37: what is left out when the driver ended it
        received_at=call.at,
        message=payload,
        samples=samples,
        asides=[*asides, *unread],
        signed=signed,
    )
    answer: dict[str, Any] = {}
    if token is not None:
        answer["idTagInfo"] = id_tag_info(calls.authorize(call.station, token))
    return Answer(answer, session.pk if session else None)


def stop_transaction_many(together: Sequence[Call]) -> list[Answer | None]:
    """Those that are plain, in hardly more queries than one."""
    stops = [
        calls.Stop(
            station=call.station,
            number=str(call.payload["transactionId"]),
            token=calls.token_ref(call.payload.get("idTag")),
            said=calls.said(call.station, call.payload["timestamp"], call.at),
            meter_stop_wh=int(call.payload["meterStop"]),
            stop_reason=call.payload.get("reason") or "Local",
            received_at=call.at,
        )
        for call in together
    ]
    answers: list[Answer | None] = []
    for ended in calls.charges_stop(stops):
        shown = {"idTagInfo": id_tag_info(ended.authorization)} if ended and ended.authorization else {}
        answers.append(Answer(shown, ended.session.pk) if ended else None)
    return answers
