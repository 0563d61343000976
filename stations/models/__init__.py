"""The app's models, for everybody outside this folder; here they import each other directly."""

from stations.models.asides import SetAside
from stations.models.cards import IdToken, LinkCode
from stations.models.certificates import (
    CertificateRequest,
    InstalledRoot,
    NextCredential,
    StationAuthority,
    StationCertificate,
)
from stations.models.commands import Command
from stations.models.connections import GatewayProcess, StationEvent, StationRefusal, StationVariable
from stations.models.corrections import Correction
from stations.models.imports import ImportFile, ImportFinding, ImportMapping, ImportRun
from stations.models.load import LimitedOutlet, OutletLimit, SiteLimit, SiteLimitPeriod
from stations.models.messages import OcppMessage
from stations.models.metering import MeterPublicKey, SignedMeterValue
from stations.models.ocpi import OcpiPartner
from stations.models.places import Connector, Site, Station
from stations.models.recipients import InvoiceAddress, StatementDelivery, StatementRecipient
from stations.models.reservations import LocalList, Reservation
from stations.models.sessions import (
    ChargingSession,
    ChargingSessionQuerySet,
    MeterValue,
    SessionClosedError,
    months_decide,
)
from stations.models.tariffs import CustomerGroup, PriceAgreement, Tariff
from stations.models.vehicles import (
    FlatRate,
    HomeSite,
    PriceBasis,
    SessionVehicle,
    Vehicle,
    VehicleCard,
    YearChoice,
)

__all__ = [
    "CertificateRequest",
    "ChargingSession",
    "ChargingSessionQuerySet",
    "Command",
    "Connector",
    "Correction",
    "CustomerGroup",
    "FlatRate",
    "GatewayProcess",
    "HomeSite",
    "IdToken",
    "ImportFile",
    "ImportFinding",
    "ImportMapping",
    "ImportRun",
    "InstalledRoot",
    "InvoiceAddress",
    "LimitedOutlet",
    "LinkCode",
    "LocalList",
    "MeterPublicKey",
    "MeterValue",
    "NextCredential",
    "OcpiPartner",
    "OcppMessage",
    "OutletLimit",
    "PriceAgreement",
    "PriceBasis",
    "Reservation",
    "SessionClosedError",
    "SessionVehicle",
    "SetAside",
    "SignedMeterValue",
    "Site",
    "SiteLimit",
    "SiteLimitPeriod",
    "StatementDelivery",
    "StatementRecipient",
    "Station",
    "StationAuthority",
    "StationCertificate",
    "StationEvent",
    "StationRefusal",
    "StationVariable",
    "Tariff",
    "Vehicle",
    "VehicleCard",
    "YearChoice",
    "months_decide",
]
