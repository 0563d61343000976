"""PURE: ACN-Data of Caltech (ev.caltech.edu/dataset; API v1, acnportal 0.3): sessions as JSON, in `_items` or as a
list. Times are RFC 1123 in GMT (API) or ISO 8601 (acnportal), `timezone` is the site's.
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from stations.errors import ImportRowError
from stations.imports.formats.documents import Json, text
from stations.imports.reading import values
from stations.imports.reading.row import Place, Reading, Row
from stations.imports.reading.tokens import user


def _row(line: int, session: Mapping[str, Any], reading: Reading) -> Row:
    site = text(session, "siteID") or "unknown"
    number = text(session, "_id", "sessionID")
    if not number:
        raise ImportRowError("the session's number", "none", field="sessionID")
    return Row(
        line=line,
        number=values.code(number, values.NUMBER_MAX),
        station=text(session, "stationID", "spaceID") or "unknown",
        place=Place(values.code(site, 30), f"ACN {site}", "USD", text(session, "timezone", most=64)),
        started=_time(session, "connectionTime", reading),
        stopped=_time(session, "disconnectTime", reading),
        energy_wh=values.scaled(
            f"{values.decimal_of(session.get('kWhDelivered'), 'kWhDelivered'):.12f}",
            "kWhDelivered",
            digits=3,
            exact=False,
        ),
        token=user(FORMAT.name, text(session, "userID")),
    )


def _time(session: Mapping[str, Any], name: str, reading: Reading) -> datetime:
    said = text(session, name)
    if said.endswith("GMT"):
        try:
            said = parsedate_to_datetime(said).isoformat()
        except ValueError as error:
            raise ImportRowError("Wed, 25 Apr 2018 11:08:04 GMT", values.shown(said), field=name) from error
    return values.instant(said, name, latest=reading.latest)


FORMAT = Json(
    name="acn",
    title="ACN-Data (Caltech)",
    prefix="acn-",
    needed=(
        ("connectionTime",),
        ("disconnectTime",),
        ("kWhDelivered",),
        ("stationID", "spaceID"),
        ("sessionID", "_id"),
    ),
    row=_row,
)
