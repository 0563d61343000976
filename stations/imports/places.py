"""The sites, stations, outlets and tokens that a batch of rows names: looked up once, made where missing."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from django.db import models

from stations.charging.sessions import location_of
from stations.errors import ImportRowError
from stations.identifiers import letters, token_canonical
from stations.imports.plan import Plan, zone_asked
from stations.imports.reading.row import Row, Token
from stations.imports.reading.values import code
from stations.models import Connector, IdToken, Site, Station

# The session's UUID follows from source and number: the same row is the same session wherever it is imported.
SESSION_NAMESPACE = uuid.UUID("0c1d7c4e-6a0f-5f0e-9a51-2f1d6f4e8b1a")
IDENTITY_MAX, CODE_MAX = 48, 36
# Before sources had names there was one, whose numbers alone are the session's.
FIRST_SOURCE = "workplace"

CALLED = {"site": "code", "station": "identity", "token": "uid"}

M = TypeVar("M", bound=models.Model)
Outlet = tuple[int, int, int]


class Places:
    """`made`: what was not there before, by table and key."""

    def __init__(self, rows: Sequence[Row], plan: Plan) -> None:
        self.plan = plan
        self.made: dict[str, list[str]] = {}
        self._identities: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._of_sites: dict[int, tuple[ZoneInfo, dict[str, str]]] = {}
        by_station = {letters(self.identity(row)): row for row in reversed(rows)}
        by_site = {self.code(row): row for row in reversed(rows)}
        there = dict(Station.objects.filter(canonical__in=by_station).values_list("canonical", "site__code"))
        wanted = {self.code(row) for key, row in by_station.items() if key not in there}
        sites = self._ensure("site", Site.objects.all(), "code", wanted, lambda key: self._site(key, by_site[key]))
        self.stations = self._ensure(
            "station",
            Station.objects.select_related("site"),
            "canonical",
            by_station,
            lambda key: Station(identity=self.identity(by_station[key]), site=sites[self.code(by_station[key])]),
        )
        self.outlets = self._outlets(rows)
        self.tokens = self._tokens({row.token for row in rows if row.token})

    def identity(self, row: Row) -> str:
        """What we call the station of this row."""
        known = self._identities.get(row.station)
        if known is None:
            prefix = self.plan.prefix
            known = self._identities[row.station] = prefix + code(row.station, IDENTITY_MAX - len(prefix))
        return known

    def code(self, row: Row) -> str:
        """What we call the site of this row."""
        known = self._codes.get(row.place.code)
        if known is None:
            plan = self.plan
            raw = plan.name == FIRST_SOURCE or not plan.prefix
            said = row.place.code if raw else "-".join(filter(None, (plan.name, row.place.code)))
            known = self._codes[row.place.code] = code(said, CODE_MAX)
        return known

    def zone_and_location(self, site: Site) -> tuple[ZoneInfo, dict[str, str]]:
        """What all sessions at a site share."""
        known = self._of_sites.get(site.pk)
        if known is None:
            known = self._of_sites[site.pk] = (ZoneInfo(site.time_zone), location_of(site))
        return known

    def station(self, row: Row) -> Station:
        """Raises ImportRowError where the file puts it elsewhere."""
        station = self.stations[letters(self.identity(row))]
        if self.plan.format.one_site and station.site.code != self.code(row):
            expected = f"{station.site.code}, where station {station} is"
            raise ImportRowError(expected, row.place.code, field="locationId")
        return station

    def _site(self, key: str, row: Row) -> Site:
        place, zone = row.place, row.place.time_zone
        if zone not in available_timezones():
            zone_asked(self.plan.format, self.plan.time_zone)
            zone = self.plan.time_zone or "UTC"
        site = Site(code=key, name=place.name, time_zone=zone, country=place.country)
        if place.currency:
            site.currency = place.currency
        return site

    def _outlets(self, rows: Sequence[Row]) -> dict[Outlet, Connector]:
        wanted = {(self.stations[letters(self.identity(row))].pk, row.evse, row.connector) for row in rows}
        all_of_them = Connector.objects.filter(station__in={station for station, *_ in wanted})

        def found() -> dict[Outlet, Connector]:
            return {(one.station_id, one.evse_id, one.connector_id): one for one in all_of_them.all()}

        there = found()
        by_pk = {station.pk: station for station in self.stations.values()}
        missing = sorted(wanted - there.keys())
        if missing:
            new = [Connector(station=by_pk[pk], evse_id=evse, connector_id=number) for pk, evse, number in missing]
            Connector.objects.bulk_create(new, ignore_conflicts=True)
            there = found()
        return there

    def outlet(self, row: Row, station: Station) -> Connector:
        """Where it charged."""
        return self.outlets[station.pk, row.evse, row.connector]

    def token(self, row: Row) -> IdToken | None:
        """What was shown."""
        return self.tokens[row.token.type, token_canonical(row.token.uid, row.token.type)] if row.token else None

    def _tokens(self, tokens: Iterable[Token]) -> dict[tuple[str, str], IdToken]:
        """Locked: who links a token meanwhile must wait, or these sessions would miss their customer."""
        by_type: dict[str, dict[str, Token]] = defaultdict(dict)
        for token in tokens:
            by_type[token.type][token_canonical(token.uid, token.type)] = token
        found: dict[tuple[str, str], IdToken] = {}
        for kind, wanted in sorted(by_type.items()):
            there = self._ensure(
                "token",
                IdToken.objects.filter(type=kind).order_by("canonical").select_for_update(no_key=True),
                "canonical",
                wanted,
                partial(_token_new, wanted),
            )
            found |= {(kind, key): token for key, token in there.items()}
        return found

    def _ensure(
        self, table: str, rows: "models.QuerySet[M]", name: str, keys: Iterable[str], make: Callable[[str], M]
    ) -> dict[str, M]:
        """The rows whose field `name` is one of `keys`, by that key; the missing ones are made.

        Made in sorted order, so that two imports at once wait for each other instead of locking each other out.
        """
        wanted = sorted(keys)
        if not wanted:
            return {}
        found = {str(getattr(row, name)): row for row in rows.filter(**{f"{name}__in": wanted})}
        missing = [make(key) for key in wanted if key not in found]
        if not missing:
            return found
        rows.model._default_manager.bulk_create(missing, ignore_conflicts=True)
        self.made.setdefault(table, []).extend(str(getattr(row, CALLED[table])) for row in missing)
        return {str(getattr(row, name)): row for row in rows.filter(**{f"{name}__in": wanted})}


def _token_new(wanted: dict[str, Token], key: str) -> IdToken:
    return IdToken(uid=wanted[key].uid, type=wanted[key].type, contract_id=wanted[key].contract_id, entered=False)


def session_id(row: Row, plan: Plan) -> uuid.UUID:
    """The UUID that a row's session has: it follows from source, station and number."""
    if row.session:
        return uuid.UUID(row.session)
    content = row.number if plan.name == FIRST_SOURCE else "\x1f".join((plan.name, row.station, row.number))
    return uuid.uuid5(SESSION_NAMESPACE, content)
