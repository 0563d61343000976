"""Stations in the admin; Django looks for it here (`autodiscover`)."""

from stations.admin import asides, certificates, places, tables
from stations.imports import admin as imports
from stations.imports import mapping_admin as mappings
from stations.messages import admin as messages
from stations.ocpi import admin as ocpi

__all__ = ["asides", "certificates", "imports", "mappings", "messages", "ocpi", "places", "tables"]
