"""The commands that a station obeys, by version: each takes the station and the payload, and returns the answer."""

from collections.abc import Mapping

from dev.stations.commands.registry import Command
from dev.stations.commands.v2 import COMMANDS as V2
from dev.stations.commands.v16 import COMMANDS as V16
from dev.stations.commands.v21 import COMMANDS as V21


def commands_of(version: str) -> Mapping[str, Command]:
    """What a station of this version obeys."""
    return {"1.6": V16, "2.0.1": V2, "2.1": V21}[version]
