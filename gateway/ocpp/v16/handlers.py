"""OCPP 1.6 and its security whitepaper: what stations may call."""

from collections.abc import Mapping

from gateway.ocpp.handling import Handler
from gateway.ocpp.v16.authorization import authorize
from gateway.ocpp.v16.availability import status_notification
from gateway.ocpp.v16.charging import meter_values, start_transaction, stop_transaction
from gateway.ocpp.v16.provisioning import boot_notification, data_transfer, heartbeat

HANDLERS: Mapping[str, Handler] = {
    "Authorize": authorize,
    "BootNotification": boot_notification,
    "DataTransfer": data_transfer,
    "Heartbeat": heartbeat,
    "MeterValues": meter_values,
    "StartTransaction": start_transaction,
    "StatusNotification": status_notification,
    "StopTransaction": stop_transaction,
}
