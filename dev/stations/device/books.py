"""A station's own books: what each charge was by its meter and its clock, for whoever compares (dev/trials/chaos).

They are a part of the state file, so that a charge stands in them exactly if its end waits in the queue or was said.
"""

from dataclasses import dataclass, field


@dataclass
class Booked:
    """A charge that has ended. Times as its messages say them; `number` is the CSMS's (1.6), once it was answered."""

    key: str
    outlet: int
    uid: str
    began: str
    ended: str
    meter_start_wh: int
    meter_stop_wh: int
    number: int | None = None


@dataclass
class Books:
    """`dropped`: messages of charges that it gave up after they were refused too often."""

    charges: list[Booked] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def numbered(self, key: str, number: int) -> None:
        """The CSMS has answered the start of a charge that has ended meanwhile."""
        for charge in self.charges:
            if charge.key == key:
                charge.number = number

    @classmethod
    def read(cls, kept: dict[str, list[dict[str, object]]]) -> "Books":
        """From the state file."""
        charges = [Booked(**one) for one in kept["charges"]]  # type: ignore[arg-type] # as it was written
        return cls(charges, [str(one) for one in kept["dropped"]])
