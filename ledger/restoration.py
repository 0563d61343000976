"""Bringing the sessions back from the chain: every sealed copy that a data key opens becomes a session again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils import timezone

from ledger import antelope, keys, record, seals
from ledger.block import BlockTransaction
from ledger.chain import Block
from ledger.errors import KeyDestroyed, MasterKeyMissing, RecordError
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.settlement import View, adopted_row, records_in
from stations.models import ChargingSession, Connector, IdToken, Site, Station


@dataclass(frozen=True)
class Credit:
    """A credit that was read before the session that it takes back: `entry` are the fields of its ledger entry."""

    opened: record.Opened
    entry: dict[str, Any]


@dataclass
class Restored:
    """What a run brought back. `unreadable` names ledger ids whose copy no key at hand opens.

    `ids` are the sessions seen; `credits` wait for theirs until all blocks are read.
    """

    sessions: int = 0
    already_there: int = 0
    erased: int = 0
    unreadable: list[int] | None = None
    ids: set[str] = field(default_factory=set)
    credits: list[Credit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unreadable = []


def restore(
    *, first_block: int = 2, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Restored:
    """Read every irreversible block from `first_block` on; repeats safely, loses nothing that is there.

    Raises MasterKeyMissing, or TpmError where the TPM is away; what was restored until then stays.
    """
    view, done, ring = View(), Restored(), keys.keyring()
    by_id = {bytes(row.key_id): row for row in DataKey.objects.all()}
    for block in view.irreversible_blocks(first_block):
        for found in block.transactions.values():
            records = records_in(found, view.chain.account)
            if records:
                with transaction.atomic():
                    _restore_transaction(block, found, records, view, ring, by_id, done)
                    transaction.set_rollback(dry_run)
        progress(block.num)
    with transaction.atomic():
        _restore_credits(done, dry_run=dry_run)
    _sequences_reset()
    return done


def _restore_transaction(
    block: Block,
    found: BlockTransaction,
    records: Sequence[antelope.Record],
    view: View,
    ring: keys.Keyring,
    by_id: dict[bytes, DataKey],
    done: Restored,
) -> None:
    known = set(LedgerEntry.objects.filter(pk__in=[item[0] for item in records]).values_list("pk", flat=True))
    done.already_there += len(known)
    missing = [item for item in records if item[0] not in known]
    if not missing:
        return
    row = adopted_row(block, found, view)
    for ledger_id, digest, sealed in missing:
        _restore_record(ledger_id, digest, sealed, row, ring, by_id, done)


def _restore_record(
    ledger_id: int,
    digest: bytes,
    sealed: bytes,
    row: ChainTransaction,
    ring: keys.Keyring,
    by_id: dict[bytes, DataKey],
    done: Restored,
) -> None:
    assert done.unreadable is not None
    try:
        data_key = by_id[record.key_id_of(ledger_id=ledger_id, sealed=sealed, directory=ring.directory)]
    except (RecordError, KeyError):
        done.unreadable.append(ledger_id)
        return
    common: dict[str, Any] = {"id": ledger_id, "digest": digest, "data_key": data_key, "transaction": row}
    common["opened_at"] = row.created_at
    try:
        opened = record.open_sealed(ledger_id=ledger_id, sealed=sealed, key=ring.unwrap(data_key))
    except KeyDestroyed:
        LedgerEntry.objects.create(**common, **_erased(ledger_id, digest, data_key))
        done.erased += 1
        return
    except (RecordError, MasterKeyMissing):
        done.unreadable.append(ledger_id)
        return
    if record.digest(opened.salt, opened.canonical) != digest:
        done.unreadable.append(ledger_id)
        return
    done.ids.add(opened.record["id"])
    credited = opened.record.get("credit_reference_id")
    if credited and not ChargingSession.objects.filter(pk=credited).exists():
        done.credits.append(Credit(opened, common))
    else:
        _restore_opened(opened, common, done)


def _restore_opened(opened: record.Opened, entry: dict[str, Any], done: Restored) -> None:
    session = session_from(opened.record, entry["data_key"])
    seal = seals.restored_seal(ledger_id=entry["id"], digest=entry["digest"]) if session.restored_at else None
    kept = {"salt": opened.salt, "canonical": opened.canonical, "restored_seal": seal}
    LedgerEntry.objects.create(**entry, **kept, session=session)
    done.sessions += 1


def _erased(ledger_id: int, digest: bytes, data_key: DataKey) -> dict[str, Any]:
    """An entry whose contents were destroyed before; nothing of its session stays."""
    assert data_key.destroyed_at is not None
    key_id, erased_at = bytes(data_key.key_id), data_key.destroyed_at
    seal = seals.erasure_seal(ledger_id=ledger_id, digest=digest, key_id=key_id, erased_at=erased_at, figures=b"")
    return {"erased_at": data_key.destroyed_at, "erasure_seal": seal}


def _restore_credits(done: Restored, *, dry_run: bool) -> None:
    """Credits whose session came in a later block, or in none: a credit of what is not there cannot be stored."""
    assert done.unreadable is not None
    for credit in done.credits:
        credited = credit.opened.record["credit_reference_id"]
        if dry_run and credited in done.ids:
            done.sessions += 1  # what was restored before it is rolled back already
        elif ChargingSession.objects.filter(pk=credited).exists():
            _restore_opened(credit.opened, credit.entry, done)
        else:
            done.unreadable.append(credit.entry["id"])


def session_from(content: dict[str, Any], data_key: DataKey) -> ChargingSession:
    """The session of a record, with site, station, connector and token as far as the record knows them."""
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
    station, _ = Station.objects.get_or_create(identity=content["station"], defaults={"site": site})
    connector, _ = Connector.objects.get_or_create(
        station=station, evse_id=content["evse_id"], connector_id=content["connector_id"]
    )
    token = _token(content.get("id_token"), data_key, site)
    moments = {name: datetime.fromisoformat(content[name]) for name in ("started_at", "stopped_at")}
    figures = ("meter_start_wh", "meter_stop_wh", "energy_wh", "cost_minor")
    same = ("transaction_id", "status", "source", "location", *figures)
    texts = ("currency", "stop_reason", "meter_values_sha256")
    session, _ = ChargingSession.objects.get_or_create(
        pk=content["id"],
        defaults={
            "station": station,
            "connector": connector,
            "id_token": token,
            "customer": token.customer if token else None,
            "flags": content.get("flags", []),
            "tariff": content.get("tariff", {}),
            "credit": "credit_reference_id" in content,
            "credit_reference_id": content.get("credit_reference_id"),
            "restored_at": timezone.now(),
            **moments,
            **{name: content.get(name) for name in same},
            **{name: content.get(name, "") for name in texts},
        },
    )
    return session


def _token(content: dict[str, str] | None, data_key: DataKey, site: Site) -> IdToken | None:
    """The record's token; the data key belongs to it again (or to the site, for sessions without a token)."""
    token = None
    if content:
        token, _ = IdToken.objects.get_or_create(uid=content["uid"], type=content["type"])
    if data_key.id_token_id is None and data_key.site_id is None:
        data_key.id_token, data_key.site = token, None if token else site
        data_key.save(update_fields=["id_token", "site"])
    return token


def _sequences_reset() -> None:
    """PostgreSQL: the next ledger id comes after the restored ones."""
    statements = connection.ops.sequence_reset_sql(no_style(), [LedgerEntry])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
