"""PURE: what formats of JSON have in common: no dates to decide, no marks, members instead of columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stations.errors import ImportRowError
from stations.imports.reading.row import Reader, Reading, Row, Surveyed
from stations.imports.reading.values import shown


@dataclass(frozen=True)
class Json:
    """A format of JSON records. `needed`: members that tell it, each by any of its names."""

    name: str
    title: str
    needed: Sequence[Sequence[str]]
    row: Callable[[int, Mapping[str, Any], Reading], Row]
    prefix: str = ""
    says_zone: bool = True
    dates: str = ""
    mixed: bool = False
    one_site: bool = False

    def missing(self, columns: Sequence[str]) -> list[str]:
        """Needed members that are not there."""
        return [names[0] for names in self.needed if not {*names} & {*columns}]

    def reader(self, columns: Sequence[str], reading: Reading) -> Reader:
        """The row of one record."""
        return lambda line, found: self.row(line, found, reading)

    def surveyed(self, columns: Sequence[str]) -> Surveyed:
        """Nothing: what JSON writes has one meaning."""
        return Surveyed()


def member(found: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that is there and not null."""
    return next((found[name] for name in names if found.get(name) is not None), None)


def text(found: Mapping[str, Any], *names: str, most: int = 255) -> str:
    """A member as text, "" where there is none; raises ImportRowError for anything but text and whole numbers."""
    value = member(found, *names)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ImportRowError("text", shown(str(value)), field=names[0])
    said = " ".join(str(value).split()) if isinstance(value, str) else f"{value}"[: most + 1]
    if len(said) > most or not said.isprintable():
        raise ImportRowError(f"at most {most} characters", shown(said), field=names[0])
    return said


def inner(found: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A member that is an object, {} where there is none."""
    value = member(found, *names)
    return value if isinstance(value, dict) else {}
