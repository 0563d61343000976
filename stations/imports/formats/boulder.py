"""PURE: charging of the City of Boulder (open-data.bouldercolorado.gov, "Electric Vehicle Charging Station Data", to
September 2023; CC0). Month first until May 2023, year first since: both in one file as published. A row has no number
that lasts (ObjectId counts deliveries), so its content is one; a row with the zone beside each time.
"""

from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row

TITLE = "Boulder"


def _row(cells: Cells) -> Row:
    station, zone = cells.name("station"), cells["zone"]
    started = values.zoned(cells.time("started"), zone, cells.column("zone"))
    stopped = values.zoned(cells.time("stopped"), cells["zone_end"] or zone, cells.column("zone_end"))
    energy_wh = cells.energy_wh("energy")
    site = cells["address"] or TITLE
    return Row(
        line=cells.line,
        number=values.derived(station, started.isoformat(), stopped.isoformat(), energy_wh, cells["port"]),
        station=station,
        place=Place(values.code(site, 28), site[:255], "", values.place_zone(zone)),
        started=started,
        stopped=stopped,
        energy_wh=energy_wh,
        lasted=cells.clock("lasted", whole=True),
    )


FORMAT = Table(
    name="boulder",
    title="City of Boulder",
    prefix="boulder-",
    says_zone=True,
    columns={
        "station": ("Station_Name", "Station Name"),
        "address": ("Address",),
        "started": ("Start_Date___Time", "Start Date & Time", "Start_Date_Time"),
        "zone": ("Start_Time_Zone", "Start Time Zone"),
        "stopped": ("End_Date___Time", "End Date & Time", "End_Date_Time"),
        "zone_end": ("End_Time_Zone", "End Time Zone"),
        "lasted": ("Total_Duration__hh_mm_ss_", "Total Duration (hh:mm:ss)"),
        "energy": ("Energy__kWh_", "Energy (kWh)"),
        "port": ("Port_Type", "Port Type"),
    },
    needed=("station", "started", "zone", "stopped", "energy"),
    dates="MDY",
    mixed=True,
    row=_row,
)
