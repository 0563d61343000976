"""The stations of tests/stations, which here speak through the gateway."""

from tests.stations.conftest import (
    crowd_database,
    customer,
    database_make,
    ear,
    ledger_apart,
    other,
    own_cache,
    owner,
    stranger,
)

__all__ = [
    "crowd_database",
    "customer",
    "database_make",
    "ear",
    "ledger_apart",
    "other",
    "own_cache",
    "owner",
    "stranger",
]
