"""What can be wrong with a station, for tests to provoke."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Faults:
    """All is well at first. Set what should go wrong, from then on; clocks err by themselves (clock.py)."""

    lost_answers: Counter[str] = field(default_factory=Counter)  # of an action, so many of the next do not arrive
    swallowed: set[str] = field(default_factory=set)  # actions that never leave, though the station believes they did
    held: bool = False  # the queue waits, though the station is online
    unchecked: bool = False  # its messages are sent without a look at the schemas
    deaf: bool = False  # answers no command
    silent: bool = False  # nothing leaves, though the connection stands
    firmware: str = ""  # the status at which an update ends: DownloadFailed, InvalidSignature, InstallationFailed
    kwh: bool = False  # energy in kWh, with decimals
    by_phase: bool = False  # energy of each phase, beside or without the whole
    without_total: bool = False
    locations: tuple[str, ...] = ()  # the register at several places, such as Inlet and Outlet
    rollover_wh: int = 0  # where the register starts again at 0
    boots_each_time: bool = False  # says BootNotification after each connection
