"""PURE: public charge point usage of Dundee City Council (data.dundeecity.gov.uk, July 2021 to August 2025; OGL 3).
Day first, local times without zone; `Duration` is the charging, which may be shorter than the stay.
"""

from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row


def _row(cells: Cells) -> Row:
    site = cells.name("site")
    return Row(
        line=cells.line,
        number=cells.number("number"),
        station=cells.name("station"),
        place=Place(values.code(site, 28), site, "GBP", country="GBR"),
        started=cells.time("started"),
        stopped=cells.time("stopped"),
        energy_wh=cells.energy_wh("energy"),
        lasted=cells.clock("lasted", whole=False),
    )


FORMAT = Table(
    name="dundee",
    title="Dundee City Council",
    prefix="dundee-",
    columns={
        "number": ("SDR ID",),
        "site": ("Site",),
        "station": ("CP ID",),
        "energy": ("Consum(kWh)", "Consumed(kWh)"),
        "lasted": ("Duration",),
        "started": ("Start",),
        "stopped": ("End",),
    },
    needed=("number", "site", "station", "energy", "started", "stopped"),
    dates="DMY",
    row=_row,
)
