"""Stations in the admin; Django looks for it here (`autodiscover`)."""

from stations.admin import asides, places, tables
from stations.imports import admin as imports
from stations.ocpi import admin as ocpi

__all__ = ["asides", "imports", "ocpi", "places", "tables"]
