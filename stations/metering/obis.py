"""PURE. OBIS codes as meters write them, and which registers a charge may be billed by.

All groups are hexadecimal, as OCMF's table of registers and the transparency software have them.
"""

import re
from typing import NamedTuple

FORM = re.compile(
    r"([0-9a-f]{1,2})-([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-9a-f]{1,2})\.([0-9a-f]{1,2})(?:[.*&]([0-9a-f]{1,3}))?"
)
ELECTRICITY, ENERGY = 1, 8  # groups A and D
# The last group of the current value of a register: left out, FF, and 255 and 200 as makers write them in decimal.
CURRENT = {0x00, 0xFF, 0x200, 0x255}
# Group C, active energy that the car got. Behind the loss in the cable: 98 (a maker's), B1 (register), B3 (charge).
COMPENSATED = {0x98, 0xB1, 0xB3}
# At the meter: 01, 9E (a maker's), B0 (register), B2 (of this charge alone).
BILLABLE = {0x01, 0x9E, 0xB0, 0xB2} | COMPENSATED


class Obis(NamedTuple):
    """The groups A to F; F is 0xFF where it says that the value is the current one, however that is written."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int

    @property
    def compensated(self) -> bool:
        """Energy less what the cable lost."""
        return self.a == ELECTRICITY and self.d == ENERGY and self.c in COMPENSATED

    @property
    def billable(self) -> bool:
        """A register of energy that the car got."""
        return self.a == ELECTRICITY and self.d == ENERGY and self.c in BILLABLE and self.f == 0xFF


def read(text: str) -> Obis | None:
    """The groups of a code, None where it is none."""
    found = FORM.fullmatch(text.strip().lower())
    if found is None:
        return None
    a, b, c, d, e, f = (int(group or "0", 16) for group in found.groups())
    return Obis(a, b, c, d, e, 0xFF if f in CURRENT else f)
