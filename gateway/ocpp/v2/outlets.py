"""How an outlet is, whichever message says so."""

from gateway import calls
from gateway.ocpp.handling import Call
from stations.models import Connector

# ConnectorStatusEnumType
STATUS = {
    "Available": Connector.Status.AVAILABLE,
    "Occupied": Connector.Status.OCCUPIED,
    "Reserved": Connector.Status.RESERVED,
    "Unavailable": Connector.Status.UNAVAILABLE,
    "Faulted": Connector.Status.FAULTED,
}


def outlet_report(call: Call, evse_id: int, connector_id: int, status: str, said_at: str) -> None:
    """Store the state that the station tells of an outlet; EVSE 0 is the station itself, connector 0 all of an EVSE."""
    at = calls.clock(call.station, said_at, call.at).at
    condition = calls.Condition(status=STATUS[status], said=status)
    for number in _connectors(call, evse_id) if evse_id and not connector_id else [connector_id]:
        calls.connector_report(
            station=call.station,
            evse_id=evse_id,
            connector_id=number,
            condition=condition,
            at=at,
            received_at=call.at,
        )


def _connectors(call: Call, evse_id: int) -> list[int]:
    rows = Connector.objects.filter(station=call.station, evse_id=evse_id).order_by("connector_id")
    return list(rows.values_list("connector_id", flat=True)) or [1]
