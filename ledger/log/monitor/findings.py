"""PURE: what a monitor may find, and how bad it is."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """Also the exit status of `ledger_monitor` (2 is wrong use, as of every command)."""

    WELL = 0
    AWAY = 1  # something does not answer or is late: nothing is known to be wrong
    CONTRADICTION = 3  # log, chain or witnesses say what cannot all be true


MEANINGS = {
    "log_away": "the log does not answer",
    "log_unreadable": "what the log answers is not in its form",
    "log_older": "the log shows an older state than before",
    "log_key": "the log's checkpoint is not signed by the pinned key",
    "log_fork": "two states of the log contradict each other",
    "log_files": "the log's files do not give the tree that it signed",
    "log_stands_still": "records of the chain do not come into the log",
    "log_not_shown": "somebody knows a newer state of the log than it shows",
    "chain_away": "the chain does not answer",
    "chain_fork": "the log's root on the chain is another one",
    "chain_without_log": "the chain holds no checkpoint of the log",
    "record_invented": "a leaf of the log is no record of the chain",
    "record_missing": "a record of the chain is no leaf of the log",
    "record_doubled": "a record is in the log twice",
    "witness_away": "a witness does not answer",
    "witness_stopped": "a witness does not sign any more",
}
CONTRADICTIONS = {
    *("log_key", "log_fork", "log_files", "chain_fork"),
    *("record_invented", "record_missing", "record_doubled"),
}
# What may be mended, as a record that comes late; everything else was so, whatever is shown later.
MAY_PASS = {"record_missing", "log_files"}


@dataclass(frozen=True)
class Finding:
    """`subject` tells findings of one kind apart; `patient`: told once it has been so for a while, as it may pass.

    The while begins anew with another `mark`.
    """

    code: str
    subject: str
    text: str
    patient: bool = False
    mark: str = ""
    notes: tuple[str, ...] = ()  # what proves it, where signed notes do

    @property
    def severity(self) -> Severity:
        return Severity.CONTRADICTION if self.code in CONTRADICTIONS else Severity.AWAY

    @property
    def stays(self) -> bool:
        return self.code in CONTRADICTIONS - MAY_PASS

    @property
    def line(self) -> str:
        kind = "CONTRADICTION" if self.severity is Severity.CONTRADICTION else "AWAY"
        return f"{kind} {self.code} {self.subject}: {MEANINGS[self.code]}: {self.text}"
