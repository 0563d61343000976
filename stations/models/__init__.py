"""The app's models, for everybody outside this folder; here they import each other directly."""

from stations.models.asides import SetAside
from stations.models.cards import IdToken, LinkCode
from stations.models.corrections import Correction
from stations.models.imports import ImportFile, ImportFinding, ImportMapping, ImportRun
from stations.models.ocpi import OcpiPartner
from stations.models.places import Connector, Site, Station
from stations.models.sessions import (
    ChargingSession,
    ChargingSessionQuerySet,
    MeterValue,
    SessionClosedError,
    months_decide,
)
from stations.models.tariffs import Tariff

__all__ = [
    "ChargingSession",
    "ChargingSessionQuerySet",
    "Connector",
    "Correction",
    "IdToken",
    "ImportFile",
    "ImportFinding",
    "ImportMapping",
    "ImportRun",
    "LinkCode",
    "MeterValue",
    "OcpiPartner",
    "SessionClosedError",
    "SetAside",
    "Site",
    "Station",
    "Tariff",
    "months_decide",
]
