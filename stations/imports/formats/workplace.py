"""PURE: the workplace charging data of Asensio et al. (data/README.md; Harvard Dataverse, doi:10.7910/DVN/NFPQLW and
doi:10.7910/DVN/QF1PMO, version 1), as .csv, as Dataverse's .tab, or after a spreadsheet had it.
"""

from functools import lru_cache

from stations.imports.formats.base import Cells, Table
from stations.imports.reading.row import Place, Row, Token

CURRENCY = "USD"
FACILITY_TYPES = {"1": "manufacturing", "2": "office", "3": "research and development", "4": "other"}


@lru_cache(maxsize=1_000)
def _place(code: str, facility: str) -> Place:
    return Place(code, f"Workplace {code} ({FACILITY_TYPES.get(facility, 'other')})", CURRENCY)


def _row(cells: Cells) -> Row:
    number, user = cells.identifier("number"), cells.identifier("user")
    station, code = cells.identifier("station"), cells.identifier("site")
    return Row(
        line=cells.line,
        number=number,
        station=station,
        place=_place(code, cells["facility"]),
        started=cells.time("started"),
        stopped=cells.time("stopped"),
        energy_wh=cells.energy_wh("energy", exact=True),
        token=Token(user),
        cost_minor=cells.units("cost", digits=2),
        currency=CURRENCY,
        lasted=cells.hours("hours"),
    )


FORMAT = Table(
    name="workplace",
    title="Workplace charging (Harvard Dataverse)",
    prefix="WP-",
    columns={
        "number": ("sessionId",),
        "energy": ("kwhTotal",),
        "cost": ("dollars",),
        "started": ("created",),
        "stopped": ("ended",),
        "hours": ("chargeTimeHrs",),
        "user": ("userId",),
        "station": ("stationId",),
        "site": ("locationId",),
        "facility": ("facilityType",),
    },
    needed=("number", "energy", "cost", "started", "stopped", "hours", "user", "station", "site", "facility"),
    numbers=("energy", "cost"),
    one_site=True,
    strict=True,
    row=_row,
)
