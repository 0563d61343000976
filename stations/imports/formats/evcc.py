"""PURE: charging sessions that evcc downloads as CSV, in English and German (evcc-io/evcc core/session/session.go,
util/csv/writer.go and i18n/{en,de}.toml, versions 0.118 to 0.305). Times are the installation's local ones and name
no zone. A row has no number: loadpoint and start are one. Prices name no currency and are left aside.
"""

from stations.errors import ImportRowError
from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row
from stations.imports.reading.tokens import card

TITLE = "evcc"


def _row(cells: Cells) -> Row:
    if not cells["stopped"]:
        raise ImportRowError("a charge that has ended", "none", field=cells.column("stopped"))
    loadpoint, started = cells.name("loadpoint"), cells.time("started")
    return Row(
        line=cells.line,
        number=values.derived(loadpoint, started.isoformat()),
        station=loadpoint,
        place=Place("", TITLE),
        started=started,
        stopped=cells.time("stopped"),
        energy_wh=cells.energy_wh("energy"),
        token=card(cells["token"], cells.column("token")),
        lasted=cells.clock("lasted", whole=False),
    )


FORMAT = Table(
    name="evcc",
    title=TITLE,
    prefix="evcc-",
    columns={
        "started": ("Created", "Startzeit", "Start"),
        "stopped": ("Finished", "Endzeit", "Ende"),
        "loadpoint": ("Charging point", "Ladepunkt", "Loadpoint"),
        "token": ("Identifier", "Kennung"),
        "vehicle": ("Vehicle", "Fahrzeug"),
        "energy": ("Energy (kWh)", "Energie (kWh)", "Charged Energy (kWh)"),
        "lasted": ("Duration", "Ladedauer", "Charge Duration"),
        "solar": ("Solar (%)", "Sonnenenergie (%)", "Sonne (%)"),
    },
    needed=("started", "stopped", "loadpoint", "token", "vehicle", "energy", "solar"),
    row=_row,
)
