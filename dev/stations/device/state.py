"""What a station must not forget. It is in one file, which is replaced before each message is sent."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dev.common.files import replace
from dev.stations.device.books import Books
from dev.stations.device.told import Token

Json = dict[str, Any]
USED_WH = 100_000.0  # what the meters of a new station show: a zero is what broken ones say


@dataclass
class Charge:
    """One that runs. `key` is the station's name of it, the transaction's id in 2.x; `number` the CSMS's in 1.6."""

    key: str
    outlet: int
    began: float
    meter_start_wh: int
    token: Token | None = None
    number: int | None = None
    remote_start_id: int | None = None
    seq_no: int = 0
    flows: bool = False  # cable and card are there
    suspended: bool = False  # by a limit of nothing
    flowed_since: float = 0.0
    metered: float = 0.0  # until when the meter has counted
    sampled: float = 0.0
    soc: float = 0.0  # of the car's battery, in percent
    reason: str = ""  # why it was stopped, while the cable still holds it open
    begin_samples: list[Any] = field(default_factory=list)
    signed: bool = False  # its begin


@dataclass
class Reservation:
    """An outlet (0: any) that is kept for a card."""

    number: int
    outlet: int
    uid: str
    group: str
    until: float


@dataclass
class Outlet:
    """An EVSE with one connector (a connector in 1.6)."""

    meter_wh: float = 0.0
    operative: bool = True
    next_operative: bool | None = None  # what it becomes when the charge has ended
    plugged: bool = False
    token: Token | None = None  # authorised, the cable is waited for or charges
    remote_start_id: int | None = None
    finished: bool = False  # its charge has ended, its cable is still there
    fault: str = ""
    charge: Charge | None = None
    signed: int = 0  # texts of its meter


@dataclass
class Message:
    """One that waits in the queue: of a charge, or a security event. It keeps its id until it is answered."""

    id: str
    action: str
    payload: Json
    charge: str = ""
    refused: int = 0


@dataclass
class State:
    """Everything of a station that outlives its end."""

    outlets: dict[int, Outlet]
    credential: str
    told_credential: str  # in the file of stations: another one there is newer than what the CSMS has set
    firmware: str
    operative: bool = True
    queue: list[Message] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)  # 1.6: the CSMS's number of a charge that it has answered
    settings: dict[str, str] = field(default_factory=dict)
    local_list: dict[str, Json] = field(default_factory=dict)
    local_list_version: int = 0
    cache: dict[str, Json] = field(default_factory=dict)
    profiles: list[Json] = field(default_factory=list)  # {"outlet", "profile"}
    reservations: list[Reservation] = field(default_factory=list)
    certificates: list[Json] = field(default_factory=list)  # {"type", "pem"}
    private_key: str = ""
    next_private_key: str = ""  # of the request that no certificate has come for yet
    chain: str = ""  # the station's own certificate and those above it
    messages: list[Json] = field(default_factory=list)
    monitors: list[Json] = field(default_factory=list)
    networks: dict[str, Json] = field(default_factory=dict)
    tariffs: dict[str, Json] = field(default_factory=dict)
    counted: int = 0  # ids that it has given
    boot_reason: str = "PowerUp"
    books: Books | None = None  # kept only where they are asked for: they grow with each charge
    path: Path | None = field(default=None, repr=False)

    def keep(self) -> None:
        """Write it, before the message that says so is sent."""
        if self.path is not None:
            kept = {name: value for name, value in asdict(self).items() if name != "path"}
            replace(self.path, json.dumps(kept))

    def next_id(self) -> int:
        """A number that was never given."""
        self.counted += 1
        return self.counted

    @classmethod
    def found(cls, path: Path | None, *, outlets: int, credential: str, firmware: str) -> "State":
        """What the file keeps; without one it is a station that has charged before, but knows nothing else."""
        if path is None or not path.exists():
            fresh = {number: Outlet(meter_wh=number * USED_WH) for number in range(1, outlets + 1)}
            return cls(fresh, credential, credential, firmware, path=path)
        kept = json.loads(path.read_text())
        if kept["told_credential"] != credential:
            kept["credential"] = kept["told_credential"] = credential
        kept["outlets"] = {int(number): _outlet(one) for number, one in kept["outlets"].items()}
        kept["queue"] = [Message(**one) for one in kept["queue"]]
        kept["books"] = Books.read(kept["books"]) if kept.get("books") else None
        kept["reservations"] = [Reservation(**one) for one in kept["reservations"]]
        return cls(**kept, path=path)


def new_id() -> str:
    """Of a message or a charge: at most 36 characters (OCPP)."""
    return str(uuid.uuid4())


def _outlet(kept: Mapping[str, Any]) -> Outlet:
    charge = kept["charge"] and Charge(**{**kept["charge"], "token": _token(kept["charge"]["token"])})
    return Outlet(**{**kept, "token": _token(kept["token"]), "charge": charge})


def _token(kept: Mapping[str, str] | None) -> Token | None:
    return Token(**kept) if kept else None
