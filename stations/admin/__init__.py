"""Stations in the admin; Django looks for it here (`autodiscover`)."""

from stations.admin import asides, certificates, connections, metering, places, tables
from stations.agreements import admin as agreements
from stations.commands import admin as commands
from stations.imports import admin as imports
from stations.imports import mapping_admin as mappings
from stations.load import admin as load
from stations.messages import admin as messages
from stations.ocpi import admin as ocpi
from stations.vehicles import admin as vehicles

__all__ = [
    "agreements",
    "asides",
    "certificates",
    "commands",
    "connections",
    "imports",
    "load",
    "mappings",
    "messages",
    "metering",
    "ocpi",
    "places",
    "tables",
    "vehicles",
]
