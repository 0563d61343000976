"""A session's row and its entry made again from a record, or put back to it."""

from datetime import datetime
from itertools import chain, count
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from common.change_log import Change, changes_between, values_of
from ledger.keys.seals import erasure_seal, restored_seal
from ledger.models import ChainTransaction, DataKey
from ledger.repair.copies import Copy
from stations.identifiers import letters, token_canonical
from stations.models import ChargingSession, Connector, IdToken, Site, Station, months_decide

FIGURES = ("meter_start_wh", "meter_stop_wh", "energy_wh", "cost_minor")
TEXTS = ("currency", "stop_reason", "meter_values_sha256", "signed_verdict", "signed_reason", "meter_public_key")
LISTS = ("flags", "signed_meter_values", "cost_lines")
KEPT_MAX = 5_000


class Places:
    """Outlets and cards by what records call them, made where they lack; found once, and asked for often.

    `forget` after a database transaction that was rolled back: what it made is gone.
    """

    def __init__(self) -> None:
        self._outlets: dict[tuple[str, int, int], Connector] = {}
        self._tokens: dict[tuple[str, str], IdToken] = {}

    def forget(self) -> None:
        self._outlets.clear()
        self._tokens.clear()

    def outlet(self, content: dict[str, Any]) -> Connector:
        key = (content["station"], content["evse_id"], content["connector_id"])
        if key not in self._outlets:
            if len(self._outlets) >= KEPT_MAX:
                self._outlets.clear()
            self._outlets[key] = _outlet(content)
        return self._outlets[key]

    def token(self, content: dict[str, str] | None) -> IdToken | None:
        if not content:
            return None
        key = (content["uid"], content["type"])
        if key not in self._tokens:
            if len(self._tokens) >= KEPT_MAX:
                self._tokens.clear()
            canonical = token_canonical(*key)
            _forms_follow(IdToken.objects.filter(canonical=canonical, type=key[1]))
            # A record does not say whether somebody has entered the card.
            made = {"uid": key[0], "entered": False}
            self._tokens[key], _ = IdToken.objects.get_or_create(canonical=canonical, type=key[1], defaults=made)
        return self._tokens[key]


def _forms_follow(rows: "QuerySet[Any]") -> None:
    """A row whose identifier was altered is no longer found by what it was: its canonical form follows again."""
    for row in rows:
        row.save(update_fields=["canonical"])


def _outlet(content: dict[str, Any]) -> Connector:
    _forms_follow(Station.objects.identified(content["station"]))
    station = Station.objects.select_related("site").identified(content["station"]).first()
    if station is None:
        location = content["location"]
        site, _ = Site.objects.get_or_create(
            code=location["id"],
            defaults={
                "name": location.get("name", location["id"]),
                "country": location.get("country", ""),
                "time_zone": location.get("time_zone", "UTC"),
                "currency": content.get("currency", "EUR"),
            },
        )
        defaults = {"site": site, "identity": content["station"]}
        station, _ = Station.objects.get_or_create(canonical=letters(content["station"]), defaults=defaults)
    numbers = {"evse_id": content["evse_id"], "connector_id": content["connector_id"]}
    connector, _ = Connector.objects.get_or_create(station=station, **numbers)
    connector.station = station
    return connector


class Put(NamedTuple):
    """The session, what of a row that was there is different now, and whether the row was made anew."""

    session: ChargingSession
    changes: list[Change]
    made: bool = False


def session_put(content: dict[str, Any], data_key: DataKey, places: Places) -> Put:
    """Make the session of a record what the record says.

    Meter values are not in the record and stay as they are; a row that is made anew has none, and says so.
    """
    values = session_values(content, data_key, places)
    row = ChargingSession.objects.select_for_update().filter(pk=content["id"]).first()
    if row is None:
        token = values["id_token"]
        customer = token.customer if token else None
        now = timezone.now()
        own: dict[str, Any] = {"restored_at": now, "heard_at": None}  # when it was first heard of is in no record
        made = ChargingSession.objects.create(pk=content["id"], customer=customer, **own, **values)
        return Put(made, [], made=True)
    before = values_of(row)
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    customer = _customer(row, values["id_token"], data_key)
    if row.customer_id != customer:
        different["customer_id"] = customer
    if not different:
        return Put(row, [])
    if row.statement_month is None:  # the database was of a time at which it still charged
        closed = ChargingSession(customer_id=customer, **values)
        months_decide([closed])
        different["statement_month"] = closed.statement_month
    ChargingSession.objects.filter(pk=row.pk).update(**different)
    row = ChargingSession.objects.get(pk=row.pk)
    changes = changes_between(row, before, values_of(row))
    return Put(row, [change for change in changes if change["field"] != "updated_at"])


def entry_values(copy: Copy, row: ChainTransaction, *, put: Put | None = None) -> dict[str, Any]:
    """The fields of the entry of an opened copy, or (without a session) of one that an erasure shut for ever.

    What only this portal can say of it is sealed: that there are no meter values any more, or no contents.
    """
    assert copy.data_key is not None
    number, digest = copy.ledger_id, copy.digest
    values: dict[str, Any] = {"id": number, "digest": digest, "data_key": copy.data_key, "transaction": row}
    values["opened_at"] = copy.block.time
    if put is None or copy.opened is None:
        erased_at = copy.data_key.destroyed_at or timezone.now()
        key_id = bytes(copy.data_key.key_id)
        seal = erasure_seal(ledger_id=number, digest=digest, key_id=key_id, erased_at=erased_at, figures=b"")
        return values | {"erased_at": erased_at, "erasure_seal": seal}
    kept: dict[str, Any] = {"salt": copy.opened.salt, "canonical": copy.opened.canonical}
    kept["restored_seal"] = restored_seal(ledger_id=number, digest=digest) if put.made else None
    return values | kept | {"session": put.session, "erased_at": None, "erasure_seal": None}


def session_values(content: dict[str, Any], data_key: DataKey, places: Places) -> dict[str, Any]:
    """The fields of a session's row that its record knows."""
    connector, token = places.outlet(content), places.token(content.get("id_token"))
    number = _number_free(content, connector.station)
    _key_owner(data_key, token, connector.station.site)
    credited = content.get("credit_reference_id")
    return {
        "station": connector.station,
        "connector": connector,
        "id_token": token,
        "tariff": content.get("tariff", {}),
        "credit": credited is not None,
        "credit_reference": ChargingSession.objects.get(pk=credited) if credited else None,
        "transaction_id": number,
        "written": _written(content, connector, token, number),
        **{name: datetime.fromisoformat(content[name]) for name in ("started_at", "stopped_at")},
        **{name: content[name] for name in ("status", "source", "location")},
        **{name: content.get(name) for name in FIGURES},
        **{name: content.get(name, "") for name in TEXTS},
        **{name: content.get(name, []) for name in LISTS},
    }


def _number_free(content: dict[str, Any], station: Station) -> str:
    """The record's number; with an ending that no station can write where another charge has it for the same start.

    Stations' letters were once told apart, so two records may have one number (ledger/record.py reads it without the
    ending).
    """
    said = str(content["transaction_id"])
    others = station.sessions.filter(started_at=datetime.fromisoformat(content["started_at"])).exclude(pk=content["id"])
    taken = set(others.values_list("number", flat=True))
    endings = chain([""], (f"~{place}" for place in count(2)))
    return next(said + ending for ending in endings if letters(said) + ending not in taken)


def _written(content: dict[str, Any], connector: Connector, token: IdToken | None, number: str) -> dict[str, str]:
    """What the record writes in other letters than the rows that stand for it."""
    pairs = {"station": (content["station"], connector.station.identity)}
    pairs["transaction_id"] = (content["transaction_id"], number)
    if token:
        pairs["id_token"] = (content["id_token"]["uid"], token.uid)
    return {name: recorded for name, (recorded, now) in pairs.items() if recorded != now}


def _customer(row: ChargingSession, token: IdToken | None, data_key: DataKey) -> int | None:
    """Whose it is: that is not in the record, but a key that is in use has one holder."""
    if token is None:
        return None
    in_use = data_key.closed_at is None and data_key.destroyed_at is None
    return data_key.customer_id if in_use else row.customer_id


def _key_owner(data_key: DataKey, token: IdToken | None, site: Site) -> None:
    """The data key belongs to the record's token again (or to the site, for sessions without a token)."""
    nobodys = data_key.id_token_id is None and data_key.site_id is None
    anothers = token is not None and data_key.id_token_id != token.pk
    if not data_key.destroyed_at and (nobodys or anothers):
        data_key.id_token, data_key.site = token, None if token else site
        data_key.save(update_fields=["id_token", "site"])
