"""Which message of a 2.0.1 or 2.1 station is handled by whom. What is not here is answered NotSupported."""

from collections.abc import Mapping

from gateway.ocpp.handling import Handler, ManyHandler, by_itself, whatever
from gateway.ocpp.v2 import (
    authorization,
    charging,
    firmware,
    monitoring,
    paying,
    profiles,
    provisioning,
    security,
    various,
)

HANDLERS_201: Mapping[str, Handler] = {
    "Authorize": authorization.authorize,
    "BootNotification": provisioning.boot_notification,
    "ClearedChargingLimit": profiles.cleared_charging_limit,
    "DataTransfer": various.data_transfer,
    "FirmwareStatusNotification": firmware.firmware_status_notification,
    "Get15118EVCertificate": security.get_15118_ev_certificate,
    "GetCertificateStatus": security.get_certificate_status,
    "Heartbeat": provisioning.heartbeat,
    "LogStatusNotification": firmware.log_status_notification,
    "MeterValues": charging.meter_values,
    "NotifyChargingLimit": profiles.notify_charging_limit,
    "NotifyCustomerInformation": various.notify_customer_information,
    "NotifyDisplayMessages": various.notify_display_messages,
    "NotifyEVChargingNeeds": profiles.notify_ev_charging_needs,
    "NotifyEVChargingSchedule": profiles.notify_ev_charging_schedule,
    "NotifyEvent": monitoring.notify_event,
    "NotifyMonitoringReport": monitoring.notify_monitoring_report,
    "NotifyReport": provisioning.notify_report,
    "PublishFirmwareStatusNotification": firmware.publish_firmware_status_notification,
    "ReportChargingProfiles": profiles.report_charging_profiles,
    "ReservationStatusUpdate": various.reservation_status_update,
    "SecurityEventNotification": security.security_event_notification,
    "SignCertificate": security.sign_certificate,
    "StatusNotification": provisioning.status_notification,
    "TransactionEvent": charging.transaction_event,
}
HANDLERS_21: Mapping[str, Handler] = {
    **HANDLERS_201,
    "BatterySwap": paying.battery_swap,
    "ClosePeriodicEventStream": monitoring.close_periodic_event_stream,
    "GetCertificateChainStatus": security.get_certificate_chain_status,
    "NotifyDERAlarm": profiles.notify_der_alarm,
    "NotifyDERStartStop": profiles.notify_der_start_stop,
    "NotifyPeriodicEventStream": monitoring.notify_periodic_event_stream,
    "NotifyPriorityCharging": profiles.notify_priority_charging,
    "NotifySettlement": paying.notify_settlement,
    "OpenPeriodicEventStream": monitoring.open_periodic_event_stream,
    "PullDynamicScheduleUpdate": profiles.pull_dynamic_schedule_update,
    "ReportDERControl": profiles.report_der_control,
    "VatNumberValidation": paying.vat_number_validation,
}
# Both versions; what can be handled together with others of its kind.
MANY: Mapping[str, ManyHandler] = {
    "Authorize": ManyHandler(whatever, authorization.authorize_many),
    "BootNotification": ManyHandler(whatever, provisioning.boot_notification_many),
    "Heartbeat": by_itself(provisioning.heartbeat),
    "MeterValues": ManyHandler(whatever, charging.meter_values_many),
    "TransactionEvent": ManyHandler(charging.is_plain, charging.transaction_events_many),
}
