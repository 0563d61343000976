"""Stations in the admin; Django looks for it here (`autodiscover`)."""

from stations.admin import places, tables
from stations.imports import admin as imports
from stations.ocpi import admin as ocpi

__all__ = ["imports", "ocpi", "places", "tables"]
