"""OCPP 1.6 and its security whitepaper: what stations may call."""

from collections.abc import Mapping

from gateway.ocpp.handling import Handler, ManyHandler, by_itself
from gateway.ocpp.v16 import charging
from gateway.ocpp.v16.authorization import authorize
from gateway.ocpp.v16.availability import status_notification
from gateway.ocpp.v16.firmware import firmware_status_notification, log_status_notification
from gateway.ocpp.v16.provisioning import boot_notification, data_transfer, heartbeat
from gateway.ocpp.v16.security import security_event_notification, sign_certificate

HANDLERS: Mapping[str, Handler] = {
    "Authorize": authorize,
    "BootNotification": boot_notification,
    "DataTransfer": data_transfer,
    "DiagnosticsStatusNotification": log_status_notification,
    "FirmwareStatusNotification": firmware_status_notification,
    "Heartbeat": heartbeat,
    "LogStatusNotification": log_status_notification,
    "MeterValues": charging.meter_values,
    "SecurityEventNotification": security_event_notification,
    "SignCertificate": sign_certificate,
    "SignedFirmwareStatusNotification": firmware_status_notification,
    "StartTransaction": charging.start_transaction,
    "StatusNotification": status_notification,
    "StopTransaction": charging.stop_transaction,
}

# What many stations say at once is stored together.
MANY: Mapping[str, ManyHandler] = {
    "Heartbeat": by_itself(heartbeat),
    "MeterValues": ManyHandler(lambda call: True, charging.meter_values_many),
    "StartTransaction": ManyHandler(lambda call: "reservationId" not in call.payload, charging.start_transaction_many),
    "StopTransaction": ManyHandler(
        lambda call: not call.payload.get("transactionData"), charging.stop_transaction_many
    ),
}
