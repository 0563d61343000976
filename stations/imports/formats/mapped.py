"""A format for a table that none of ours is: what its columns mean was chosen in the admin, and is kept by name."""

from collections.abc import Mapping
from typing import Any, Protocol

from stations.errors import ImportRowError
from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row
from stations.imports.reading.tokens import card
from stations.tariffs.pricing import minor_units

FIELDS = ("number", "started", "stopped", "lasted", "energy", "station", "site", "token", "cost")
NEEDED = ("started", "stopped", "energy")


class Chosen(Protocol):
    """What stations.models.ImportMapping holds."""

    name: str
    columns: Any
    dates: str
    time_zone: str
    currency: str
    energy_unit: str


def format_of_mapping(mapping: Chosen | None) -> Table | None:
    """The format that a mapping describes; its name is the source of the sessions' numbers."""
    if mapping is None:
        return None
    columns: Mapping[str, str] = {name: mapping.columns[name] for name in FIELDS if mapping.columns.get(name)}

    def row(cells: Cells) -> Row:
        return _row(cells, mapping)

    return Table(
        name=mapping.name,
        title=mapping.name,
        prefix=f"{values.code(mapping.name, 16)}-",
        columns={name: (column,) for name, column in columns.items()},
        needed=tuple(columns),
        dates=mapping.dates if mapping.dates != "YMD" else "",
        numbers=("energy", "cost"),
        row=row,
    )


def _row(cells: Cells, mapping: Chosen) -> Row:
    started, stopped = cells.time("started"), cells.time("stopped")
    station = cells.name("station") if cells["station"] else mapping.name
    digits = 3 if mapping.energy_unit == "kWh" else 0
    energy_wh = cells.units("energy", digits=digits, exact=False)
    priced = bool(cells["cost"]) and bool(mapping.currency)
    site = cells["site"]
    if len(site) > 255 or not site.isprintable():
        raise ImportRowError("at most 255 characters", values.shown(site), field=cells.column("site"))
    number = cells.number("number") if cells["number"] else values.derived(station, started, stopped, energy_wh)
    cost = values.number(cells["cost"], cells.column("cost"), cells.reading.mark) if priced else None
    return Row(
        line=cells.line,
        number=number,
        station=station,
        place=Place(values.code(site, 18) if site else "", site or mapping.name, mapping.currency),
        started=started,
        stopped=stopped,
        energy_wh=energy_wh,
        token=card(cells["token"], cells.column("token")),
        cost_minor=minor_units(cost, mapping.currency) if cost is not None else None,
        currency=mapping.currency if cost is not None else "",
        lasted=cells.clock("lasted", whole=False),
    )
