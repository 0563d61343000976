"""PURE: which numbers were seen, as runs: ledger ids are mostly neighbours, so a million of them are a few runs."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ids:
    """A set of numbers, kept as runs [first, last] in ascending order."""

    def __init__(self, runs: Iterable[Iterable[int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in runs:
            if first > last or (self._lasts and first <= self._lasts[-1] + 1):
                raise ValueError("expected runs in ascending order, apart from each other")
            self._firsts.append(first)
            self._lasts.append(last)

    @property
    def runs(self) -> list[list[int]]:
        return [[first, last] for first, last in zip(self._firsts, self._lasts, strict=True)]

    def copy(self) -> "Ids":
        return Ids(self.runs)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def add(self, number: int) -> bool:
        """Whether it is new."""
        place = bisect_right(self._firsts, number)
        if place and number <= self._lasts[place - 1]:
            return False
        joins_left = place > 0 and self._lasts[place - 1] == number - 1
        joins_right = place < len(self._firsts) and self._firsts[place] == number + 1
        if joins_left and joins_right:
            self._lasts[place - 1] = self._lasts.pop(place)
            self._firsts.pop(place)
        elif joins_left:
            self._lasts[place - 1] = number
        elif joins_right:
            self._firsts[place] = number
        else:
            self._firsts.insert(place, number)
            self._lasts.insert(place, number)
        return True

    def above(self, floor: int) -> int:
        """How many are above this number."""
        return sum(last - max(first, floor + 1) + 1 for first, last in self._pairs() if last > floor)

    def gaps(self, floor: int) -> list[tuple[int, int | None]]:
        """The runs above this number that are not in the set; the last one has no end."""
        found: list[tuple[int, int | None]] = []
        start = floor + 1
        for first, last in self._pairs():
            if last < start:
                continue
            if first > start:
                found.append((start, first - 1))
            start = last + 1
        return [*found, (start, None)]

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)
