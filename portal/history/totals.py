"""PURE: sums of charges over groups that the database has added up already; all figures of the history are such sums.

A group is a row of the sums by day (or month): sessions, energy (Wh), cost (minor units) and currency, with what
`ledger.state.counting.counted_groups` adds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Group = Mapping[str, Any]


@dataclass
class Totals:
    """Sums of what counts; `costs` is a list of (minor units, currency), never added over currencies.

    `rows`: how many a list has, with what does not count. `differing`: of those that count, how many differ from their
    record, whose figures are used; `left_out`: of how many the record is altered itself, so that none are known.
    """

    sessions: int = 0
    energy_wh: int = 0
    by_currency: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    differing: int = 0
    left_out: int = 0

    @property
    def costs(self) -> list[tuple[int, str]]:
        """In the alphabet's order of currencies, so that two lines of sums can be compared at a glance."""
        return [(self.by_currency[currency], currency) for currency in sorted(self.by_currency)]

    def add(self, group: Group) -> None:
        """One group more; one without a currency has a cost of nothing in none."""
        self.sessions += group["sessions"]
        self.energy_wh += group["energy"] or 0
        self.rows += group.get("rows", 0)
        self.differing += group.get("differing", 0)
        self.left_out += group.get("left_out", 0)
        if group["currency"]:
            self.by_currency[group["currency"]] = self.by_currency.get(group["currency"], 0) + (group["cost"] or 0)


def totals_of(groups: Iterable[Group]) -> Totals:
    """All of these together; zeros where there are none."""
    found = Totals()
    for group in groups:
        found.add(group)
    return found
