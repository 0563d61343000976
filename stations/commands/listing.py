"""The list of cards that a station keeps itself, so that it knows them while the portal is away (OCPP local list).

A station is told of cards that charged at its site, those used last first: whose they are is known (or the site lets
strangers charge), or they are blocked. What it has is kept (LocalList), so that later lists carry the difference alone;
one that is too long for a message goes in several, each after the one before was accepted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from stations.commands.params import V16, V21, moment_text
from stations.models import Command, IdToken, LocalList, Site, Station, StationVariable

UID_MAX = {V16: 20}
# Types that only OCPP 2.1 knows, and of these what is for one charge alone.
ONCE = (IdToken.Type.DIRECT_PAYMENT.value,)
OF_21 = (*ONCE, IdToken.Type.EVCC_ID.value, IdToken.Type.VIN.value)
# Where the station does not say how many it takes.
ENTRIES_MAX, PER_MESSAGE = 500, 50
Entries = dict[str, list[str]]


@dataclass(frozen=True)
class Entry:
    """One card as the list has it; `status` None: it is taken from the list. `expires_at`: "" for never."""

    uid: str
    type: str
    status: str | None
    expires_at: str = ""
    group: str = ""


@dataclass(frozen=True)
class Listed:
    """What one message carries."""

    version: int
    is_full: bool
    entries: list[Entry]


def cards_of(station: Station) -> Entries:
    """The cards that this station should know now."""
    return cards_of_many([station])[station.pk]


def cards_of_many(stations: Collection[Station]) -> dict[int, Entries]:
    """The same of several, by station; with as many queries as of one."""
    told = _numbers_of(stations, ("", "LocalAuthListMaxLength"), ("LocalAuthListCtrlr", "EntriesMax"))
    most = {station.pk: told.get(station.pk) or ENTRIES_MAX for station in stations}
    sites = {station.site_id: station.site for station in stations}
    at_sites = _tokens_at(sites, most=max(most.values(), default=0))
    now = timezone.now()
    return {
        station.pk: _entries_of(station, at_sites[station.site_id], most=most[station.pk], now=now)
        for station in stations
    }


def _tokens_at(sites: Mapping[int, Site], *, most: int) -> dict[int, list[IdToken]]:
    """By site the cards that charged there, those used last first: `most` of each of the types that go together."""
    known = Q(entered=True) | Q(customer__isnull=False) | Q(blocked=True)
    free = [pk for pk, site in sites.items() if site.unknown_cards]
    charged = IdToken.objects.filter(known | Q(sessions__station__site__in=free), sessions__station__site__in=sites)
    charged = charged.exclude(type__in=ONCE).annotate(at_site=F("sessions__station__site_id"), is_21=Q(type__in=OF_21))
    used = charged.annotate(last=Max("sessions__started_at"))
    together, order = [F("at_site"), F("is_21")], [F("last").desc(), F("pk").asc()]
    places: QuerySet[Any] = used.annotate(place=Window(RowNumber(), partition_by=together, order_by=order))
    found: dict[int, list[IdToken]] = {site: [] for site in sites}
    for token in places.filter(place__lte=most).order_by("at_site", "-last", "pk"):
        found[token.at_site].append(token)
    return found


def _entries_of(station: Station, tokens: Iterable[IdToken], *, most: int, now: Any) -> Entries:
    left_out = () if station.ocpp_version == V21 else OF_21
    longest = UID_MAX.get(station.ocpp_version, 36)
    found: Entries = {}
    for token in list(islice((token for token in tokens if token.type not in left_out), most)):
        key = _key(station, token)
        if len(token.uid) <= longest and found.get(key, ["Accepted"])[0] == "Accepted":
            found[key] = _entry(token, now)
    return found


def _key(station: Station, token: IdToken) -> str:
    """OCPP 1.6 knows no types: a number is one card, whatever it is."""
    kind = IdToken.Type.ISO14443.value if station.ocpp_version == V16 else token.type
    return f"{kind} {token.uid}"


def _entry(token: IdToken, now: Any) -> list[str]:
    is_over = token.expires_at is not None and token.expires_at <= now
    status = "Blocked" if token.blocked else "Expired" if is_over else "Accepted"
    return [status, moment_text(token.expires_at) if token.expires_at else "", token.group]


@transaction.atomic
def local_list_prepare(command: Command) -> Listed:
    """What this command carries to its station, noted as under way."""
    station = Station.objects.select_related("site").get(pk=command.station_id)
    row, _ = LocalList.objects.get_or_create(station=station)
    row = LocalList.objects.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
    is_full = command.params["mode"] == "full" or row.version == 0
    before: Entries = {} if is_full else row.entries
    changes = _changes(before, cards_of(station))[: _per_message(station)]
    row.sent, row.sent_version = _changed(before, changes), command.pk
    row.save(update_fields=["sent", "sent_version"])
    return Listed(command.pk, is_full, [_read(key, entry) for key, entry in changes])


def _numbers_of(stations: Collection[Station], *variables: tuple[str, str]) -> dict[int, int]:
    """By station the first of these (component, variable) that it has told, as a whole number."""
    named = Q()
    for component, variable in variables:
        named |= Q(component__iexact=component, variable__iexact=variable)
    told = StationVariable.objects.filter(named, station__in=stations, attribute="Actual").order_by("pk")
    found: dict[int, dict[tuple[str, str], str]] = {}
    for pk, component, variable, value in told.values_list("station_id", "component", "variable", "value"):
        found.setdefault(pk, {}).setdefault((component.lower(), variable.lower()), value.strip())
    numbers = dict[int, int]()
    for pk, values in found.items():
        first = next((value for one in variables if (value := values.get(_lower(one), "")).isdigit()), None)
        if first is not None:
            numbers[pk] = int(first)
    return numbers


def _lower(variable: tuple[str, str]) -> tuple[str, str]:
    return variable[0].lower(), variable[1].lower()


def _per_message(station: Station) -> int:
    told = _numbers_of([station], ("", "SendLocalListMaxLength"), ("LocalAuthListCtrlr", "ItemsPerMessage"))
    return max(1, told.get(station.pk) or PER_MESSAGE)


def _changes(before: Entries, wanted: Entries) -> list[tuple[str, list[str] | None]]:
    """What differs: first what may charge no more, then what else is new."""
    gone = [(key, None) for key in before if key not in wanted]
    other = [(key, entry) for key, entry in wanted.items() if before.get(key) != entry]
    return [*gone, *sorted(other, key=lambda change: change[1][0] == "Accepted")]


def _changed(before: Entries, changes: list[tuple[str, list[str] | None]]) -> Entries:
    found = dict(before)
    for key, entry in changes:
        if entry is None:
            found.pop(key, None)
        else:
            found[key] = entry
    return found


def _read(key: str, entry: list[str] | None) -> Entry:
    kind, _, uid = key.partition(" ")
    return Entry(uid, kind, *entry) if entry else Entry(uid, kind, None)
