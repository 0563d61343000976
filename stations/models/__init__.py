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
from stations.models.reservations import LocalList, Reservation
from stations.models.sessions import (
    ChargingSession,
    ChargingSessionQuerySet,
    MeterValue,
    SessionClosedError,
    months_decide,
)
from stations.models.tariffs import Tariff

__all__ = [
    "CertificateRequest",
    "ChargingSession",
    "ChargingSessionQuerySet",
    "Command",
    "Connector",
    "Correction",
    "GatewayProcess",
    "IdToken",
    "ImportFile",
    "ImportFinding",
    "ImportMapping",
    "ImportRun",
    "InstalledRoot",
    "LimitedOutlet",
    "LinkCode",
    "LocalList",
    "MeterPublicKey",
    "MeterValue",
    "NextCredential",
    "OcpiPartner",
    "OcppMessage",
    "OutletLimit",
    "Reservation",
    "SessionClosedError",
    "SetAside",
    "SignedMeterValue",
    "Site",
    "SiteLimit",
    "SiteLimitPeriod",
    "Station",
    "StationAuthority",
    "StationCertificate",
    "StationEvent",
    "StationRefusal",
    "StationVariable",
    "Tariff",
    "months_decide",
]
