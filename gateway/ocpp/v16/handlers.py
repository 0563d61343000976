"""OCPP 1.6 and its security whitepaper: what stations may call."""

from collections.abc import Mapping

from gateway.ocpp.handling import Handler, ManyHandler, by_itself, whatever
from gateway.ocpp.v16 import charging
from gateway.ocpp.v16.authorization import authorize, authorize_many
from gateway.ocpp.v16.availability import status_notification, status_notification_many
from gateway.ocpp.v16.firmware import firmware_status_notification, log_status_notification
from gateway.ocpp.v16.provisioning import boot_notification, boot_notification_many, data_transfer, heartbeat
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
    "Authorize": ManyHandler(whatever, authorize_many),
    "BootNotification": ManyHandler(whatever, boot_notification_many),
    "Heartbeat": by_itself(heartbeat),
    "MeterValues": ManyHandler(whatever, charging.meter_values_many),
    "StatusNotification": ManyHandler(whatever, status_notification_many),
    "StartTransaction": ManyHandler(lambda call: "reservationId" not in call.payload, charging.start_transaction_many),
    "StopTransaction": ManyHandler(
        lambda call: not call.payload.get("transactionData"), charging.stop_transaction_many
    ),
}
