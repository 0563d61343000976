"""PURE: a set of numbers that are nearly all there, as ranges."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from witness.errors import Contradiction


class Ranges:
    """Numbers as ascending, inclusive ranges that do not touch. It does not change: `plus` makes another one."""

    def __init__(self, pairs: Sequence[tuple[int, int]] = ()) -> None:
        if any(first > last for first, last in pairs) or any(
            below[1] + 1 >= above[0] for below, above in pairwise(pairs)
        ):
            raise ValueError("expected ascending ranges that do not touch")
        self.pairs = tuple(pairs)

    @property
    def last(self) -> int | None:
        """The highest number; None where there is none."""
        return self.pairs[-1][1] if self.pairs else None

    def count_above(self, floor: int) -> int:
        """How many are higher than this one."""
        return sum(last - max(first, floor + 1) + 1 for first, last in self.pairs if last > floor)

    def plus(self, numbers: Iterable[int]) -> "Ranges":
        """With these, too; raises Contradiction where one is there already, or comes twice."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted([*self.pairs, *runs(sorted(numbers))]):
            if merged and first <= merged[-1][1]:
                raise Contradiction(f"record {first} is in the log twice")
            if merged and first == merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        return Ranges(merged)


def runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges; one that comes twice begins another range."""
    begin = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            yield numbers[begin], numbers[place - 1]
            begin = place
