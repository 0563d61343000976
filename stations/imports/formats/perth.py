"""PURE: electric vehicle charging of Perth & Kinross Council (data.pkc.gov.uk, September 2016 to August 2019, "…
standardisedcorrected"; OGL 3), and what Dundee published until 2018 in the same columns. Day and time stand apart, day
first, local times without zone. `_id` counts lines of the file; where there is no `Charging event`, station, outlet
and start are the number.
"""

from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row
from stations.imports.reading.tokens import user


def _row(cells: Cells) -> Row:
    site, station = cells.name("site"), cells.name("station")
    started, outlet = cells.times("started", "started_time"), cells["connector"]
    event = cells["number"]
    return Row(
        line=cells.line,
        number=cells.number("number") if event else values.derived(station, outlet, started.isoformat()),
        station=station,
        place=Place(values.code(site, 28), site, "GBP", country="GBR"),
        started=started,
        stopped=cells.times("stopped", "stopped_time"),
        energy_wh=cells.energy_wh("energy"),
        token=user(FORMAT.name, cells["user"]),
        evse=int(outlet) if outlet.isdecimal() and 0 < int(outlet) < 100 else 1,
    )


FORMAT = Table(
    name="perth",
    title="Perth & Kinross Council",
    prefix="perth-",
    columns={
        "number": ("Charging event",),
        "user": ("User ID",),
        "station": ("CP ID",),
        "connector": ("Connector",),
        "started": ("Start Date",),
        "started_time": ("Start Time",),
        "stopped": ("End Date",),
        "stopped_time": ("End Time",),
        "energy": ("Total kWh",),
        "site": ("Site",),
    },
    needed=("station", "connector", "started", "started_time", "stopped", "stopped_time", "energy", "site"),
    dates="DMY",
    row=_row,
)
