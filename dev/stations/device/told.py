"""PURE: what is told of a station before it runs, who it is, what it is, and how its day looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VOLTAGE = {"AC": 230, "DC": 400}


@dataclass(frozen=True)
class Token:
    """A card: what CSMS and station call it by, and its type (OCPP 2.x)."""

    uid: str
    type: str = "ISO14443"

    def written(self) -> dict[str, str]:
        """As OCPP 2.x writes it."""
        return {"idToken": self.uid, "type": self.type}

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Token":
        """From what OCPP 2.x says."""
        return cls(said["idToken"], said["type"])


@dataclass(frozen=True)
class Told:
    """One station. `tokens` are the cards that charge here in turn; without any it waits for commands."""

    identity: str
    credential: str
    version: str = "1.6"  # or 2.0.1, 2.1
    outlets: int = 1
    current: str = "AC"  # or DC
    power_w: int = 11_000
    phases: int = 3
    battery_wh: int = 60_000
    tokens: tuple[Token, ...] = ()
    charge_s: float = 720.0
    pause_s: float = 120.0
    books: bool = False  # it keeps what each charge was (dev/stations/device/books.py)
    meter_secret: str = ""  # in hex, where the meters of its outlets sign (dev/stations/signing.py)
    resumes: bool = False  # a charge that ran when the power went goes on when it is back
    settings: Mapping[str, str] = field(default_factory=dict)  # as an operator would set them, by OCPP's names
    vendor: str = "EVPortal"
    model: str = "Simulated"
    firmware: str = "1.0.0"

    @property
    def voltage(self) -> int:
        """Of a phase to neutral, or of the direct current."""
        return VOLTAGE[self.current]

    @property
    def serial(self) -> str:
        """At most 25 characters (OCPP)."""
        return f"SIM-{self.identity}"[:25]

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Told":
        """From the file of stations: the members above, tokens as {"uid", "type"}."""
        tokens = tuple(Token(**one) for one in said.get("tokens", ()))
        return cls(**{**said, "tokens": tokens})
