"""How commands are listed, and answers that several versions share."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from dev.stations.device.state import Json

if TYPE_CHECKING:
    from dev.stations.station import Station

Command = Callable[["Station", Json], Json | Awaitable[Json]]
Listing = Callable[[Command], Command]


class Registry(dict[str, Command]):
    """Commands by their action: `@registry("Reset")` lists the function below."""

    def __call__(self, *actions: str) -> Listing:
        def listed(command: Command) -> Command:
            self.update(dict.fromkeys(actions, command))
            return command

        return listed


def status(word: str) -> Json:
    """The answer of most commands."""
    return {"status": word}


def accepted(*, when: bool = True, otherwise: str = "Rejected") -> Json:
    """Accepted, or another word."""
    return status("Accepted" if when else otherwise)
