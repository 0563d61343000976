"""The list of cards that a station keeps itself, so that it knows them while the portal is away (OCPP local list).

A station is told of cards that charged at its site, those used last first: whose they are is known (or the site lets
strangers charge), or they are blocked. What it has is kept (LocalList), so that later lists carry the difference alone;
one that is too long for a message goes in several, each after the one before was accepted.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from stations.commands.params import V16, V21, moment_text
from stations.models import Command, IdToken, LocalList, Station, StationVariable

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
    at_site = IdToken.objects.filter(sessions__station__site=station.site_id)
    if not station.site.unknown_cards:
        at_site = at_site.filter(Q(entered=True) | Q(customer__isnull=False) | Q(blocked=True))
    at_site = at_site.exclude(type__in=ONCE if station.ocpp_version == V21 else OF_21)
    most = _number_of(station, ("", "LocalAuthListMaxLength"), ("LocalAuthListCtrlr", "EntriesMax")) or ENTRIES_MAX
    longest = UID_MAX.get(station.ocpp_version, 36)
    now = timezone.now()
    found: Entries = {}
    for token in at_site.annotate(last=Max("sessions__started_at")).order_by("-last", "pk")[:most]:
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


def _number_of(station: Station, *variables: tuple[str, str]) -> int | None:
    """The first of these (component, variable) that the station has told, as a whole number."""
    for component, variable in variables:
        told = StationVariable.objects.filter(
            station=station, component__iexact=component, variable__iexact=variable, attribute="Actual"
        )
        value = told.values_list("value", flat=True).first()
        if value is not None and value.strip().isdigit():
            return int(value)
    return None


def _per_message(station: Station) -> int:
    told = _number_of(station, ("", "SendLocalListMaxLength"), ("LocalAuthListCtrlr", "ItemsPerMessage"))
    return max(1, told or PER_MESSAGE)


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
