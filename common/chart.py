"""PURE: where the parts of a chart lie. All coordinates are integers, as SVG reads no comma in a number.

A plot is HEIGHT high. The pages stretch it to the width and height that they have, and write its labels beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 1000
BAR = 100  # what a bar takes of the width, its gap included
GAP = 24
WIDTH = 1000  # of a line's plot

_TENTHS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)


@dataclass(frozen=True)
class Plot:
    """Bars over a zero line: `path` draws them all. `top` and `bottom` are the values at the upper and lower edge."""

    path: str
    width: int
    zero: int
    top: int
    bottom: int
    height: int = HEIGHT


def plot_of(values: Sequence[int]) -> Plot:
    """A bar for each value; below the zero line for what is negative, as after a credit."""
    top, bottom = nice(max(values, default=0)), -nice(-min(values, default=0))
    if top == bottom:
        top = 1
    zero = y_of(0, top, bottom)
    bars = [_bar(number, value, zero, zero - y_of(value, top, bottom)) for number, value in enumerate(values) if value]
    return Plot(" ".join(bars), len(values) * BAR, zero, top, bottom)


def _bar(number: int, value: int, zero: int, reach: int) -> str:
    """A bar as a part of an SVG path. Whatever is not nothing is visible: one hundredth of the height at least."""
    least = HEIGHT // 100 if value > 0 else -(HEIGHT // 100)
    height = max(reach, least) if value > 0 else min(reach, least)
    return f"M{number * BAR + GAP // 2},{zero}v{-height}h{BAR - GAP}v{height}z"


def y_of(value: int, top: int, bottom: int) -> int:
    """The distance of a value from the upper edge, of HEIGHT."""
    return (2 * (top - value) * HEIGHT + (top - bottom)) // (2 * (top - bottom))  # rounded half up


def nice(value: int) -> int:
    """The smallest round number that is at least the value, for the edge of a plot; 0 for nothing.

    7780 -> 8000, 11000 -> 12000, 41 -> 50, 7 -> 8
    """
    if value <= 0:
        return 0
    power = int(10 ** (len(str(value)) - 1))
    round_numbers = (tenths * power // 10 for tenths in _TENTHS if tenths * power % 10 == 0)
    return next(number for number in round_numbers if number >= value)


@dataclass(frozen=True)
class Line:
    """A line through points: `path` and `area` as SVG's points; `top` is the value at the upper edge."""

    path: str
    area: str
    top: int
    width: int = WIDTH
    height: int = HEIGHT


def line_of(points: Sequence[tuple[int, int]]) -> Line:
    """A line through (x from 0 to WIDTH, value) in the order of x; values below 0 lie on the zero line."""
    top = nice(max((value for _, value in points), default=0)) or 1
    placed = [(x, y_of(max(value, 0), top, 0)) for x, value in points]
    path = " ".join(f"{x},{y}" for x, y in placed)
    area = f"{placed[0][0]},{HEIGHT} {path} {placed[-1][0]},{HEIGHT}" if placed else ""
    return Line(path, area, top)
