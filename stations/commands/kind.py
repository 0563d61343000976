"""PURE: what a kind of command is; the table of them is in kinds.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stations.commands.params import V2, V16, Param


@dataclass(frozen=True)
class Kind:
    """`actions`: OCPP's message by version, also the versions that have it.

    `effect`: what it ends or cannot take back, said before it is done. `own`: the portal alone asks it, as part of
    something larger. `at_once`: it makes sense for several stations at a time.
    """

    name: str
    words: Any
    theme: Any
    actions: Mapping[str, str]
    params: tuple[Param, ...] = ()
    effect: Any = ""
    own: bool = False
    at_once: bool = False

    @property
    def versions(self) -> tuple[str, ...]:
        """The OCPP versions that have it."""
        return tuple(self.actions)


def every(action: str, **of_16: str) -> dict[str, str]:
    """The message in all versions; `v16`: its name there."""
    return {V16: of_16.get("v16", action), **dict.fromkeys(V2, action)}


def two(action: str) -> dict[str, str]:
    """A message that 1.6 does not have."""
    return dict.fromkeys(V2, action)
