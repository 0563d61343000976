"""What was recorded: of a ledger id or a session, from the entry's kept record where that gives the digest, else from
the chain's sealed copy. Nothing is written here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from ledger import record
from ledger.chain.node import State
from ledger.chain.view import View
from ledger.errors import ChainRefused, RepairRefused
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.repair.copies import Contents, Copy, Opener, content_of, copies_find, copy_at
from stations.identifiers import token_canonical

RECORDED = ChainTransaction.Status.IRREVERSIBLE


@dataclass(frozen=True)
class Truth(Contents):
    """What was recorded under a ledger id. `copy` is None while no irreversible block holds it; `opened` and `content`
    are None where its customer was erased."""

    ledger_id: int
    digest: bytes
    copy: Copy | None
    opened: record.Opened | None
    content: dict[str, Any] | None


class Recorded:
    """Asks database and chain; what was looked for once on the chain is kept."""

    def __init__(self) -> None:
        self.view = View()
        self._found: dict[int, Copy | None] = {}

    @cached_property
    def _opener(self) -> Opener:
        return Opener()

    @cached_property
    def _state(self) -> State:
        return self.view.chain.state()

    def of(self, ledger_id: int) -> Truth:
        """What was recorded under this id; raises RepairRefused where nothing was, or nobody can tell what."""
        related = ("transaction", "data_key__id_token", "data_key__site")
        entry = LedgerEntry.objects.select_related(*related).filter(pk=ledger_id).first()
        row = self.view.chain.row(ledger_id)
        if entry and row is None and self._is_free(ledger_id) and not is_recorded(entry):
            return _of_waiting(entry)
        copy = self._copy(ledger_id, entry, row)
        if copy is None and entry and row == bytes(entry.digest):
            return _of_waiting(entry)  # in a block that is not irreversible yet
        if copy is None:
            words = _("nothing is on the chain under ledger id %(id)s: what stands here was never recorded")
            raise RepairRefused(words % {"id": ledger_id})
        return self._of_copy(copy, entry)

    def _of_copy(self, copy: Copy, entry: LedgerEntry | None) -> Truth:
        kept = kept_record(entry, copy.digest) if entry else None
        if entry and kept and _key_fits(entry.data_key, content_of(kept) or {}):
            return Truth(copy.ledger_id, copy.digest, copy, kept, content_of(kept))
        (copy,) = self._opener.open([copy])
        if copy.content is None and not copy.erased:
            words = _("the kept record of ledger id %(id)s is not what was recorded, and no key at hand opens its copy")
            raise RepairRefused(words % {"id": copy.ledger_id})
        return Truth(copy.ledger_id, copy.digest, copy, copy.opened, copy.content)

    def is_nowhere(self, ledger_id: int) -> bool:
        """Is nothing on the chain under this id, so that an entry's number itself was altered?"""
        return self._is_free(ledger_id) and self.view.chain.row(ledger_id) is None

    def ids_of(self, session_id: UUID) -> list[int]:
        """The ledger ids under which this session was recorded; mostly one, which its entry tells."""
        entry = LedgerEntry.objects.filter(session=session_id).first()
        if entry and not self.is_nowhere(entry.pk) and self.of(entry.pk).session_id in (session_id, None):
            return [entry.pk]
        found = copies_find(self.view.chain, self._opener, sessions=[session_id])
        self._found |= {copy.ledger_id: copy for copy in found}
        if not found and entry and not is_recorded(entry):
            return [entry.pk]
        if not found:
            raise RepairRefused(_("no record on the chain that opens is of this session: it was never recorded"))
        return [copy.ledger_id for copy in found]

    def look_for(self, ids: Iterable[int]) -> None:
        """Look for all of these that are not where their entries say, so that the chain is walked once for them."""
        entries = LedgerEntry.objects.filter(pk__in=ids).select_related("transaction").defer("transaction__packed")
        told = {entry.pk: entry for entry in entries}
        self._walk({one for one in ids if self._where_told(one, told.get(one)) is None})

    def _walk(self, ids: set[int]) -> None:
        far = ids - self._found.keys()
        found = copies_find(self.view.chain, self._opener, ids=far) if far else []
        self._found |= dict.fromkeys(far) | {copy.ledger_id: copy for copy in found}

    def _is_free(self, ledger_id: int) -> bool:
        return ledger_id > self._state.floor

    def _copy(self, ledger_id: int, entry: LedgerEntry | None, row: bytes | None) -> Copy | None:
        """Where the chain holds it: in the block that the entry names, else wherever it is."""
        found = self._where_told(ledger_id, entry)
        if found is None or row not in (None, found.digest):
            self._walk({ledger_id})
            found = self._found[ledger_id]
        return found if found and row in (None, found.digest) else None

    def _where_told(self, ledger_id: int, entry: LedgerEntry | None) -> Copy | None:
        told = entry.transaction if entry else None
        if told is None or told.block_num is None or not 1 < told.block_num <= self.view.info.lib_num:
            return None
        try:
            return copy_at(self.view.chain, ledger_id, told.block_num, told.transaction_id)
        except ChainRefused:
            return None


def _of_waiting(entry: LedgerEntry) -> Truth:
    """Not recorded yet: its kept record is all there is."""
    kept = kept_record(entry, bytes(entry.digest))
    if kept is None:
        words = _("ledger id %(id)s is not recorded yet, and its kept record does not give its digest")
        raise RepairRefused(words % {"id": entry.pk})
    return Truth(entry.pk, bytes(entry.digest), None, kept, content_of(kept))


def kept_record(entry: LedgerEntry, digest: bytes) -> record.Opened | None:
    """What the entry keeps, where that gives the digest and is a record of ours."""
    if entry.salt is None or entry.canonical is None or len(entry.salt) != record.SALT_BYTES:
        return None
    kept = record.Opened(bytes(entry.salt), bytes(entry.canonical))
    right = record.digest(kept.salt, kept.canonical) == digest and content_of(kept)
    return kept if right else None


def _key_fits(data_key: DataKey, content: Mapping[str, Any]) -> bool:
    """Is it a key of the record's card or site? If not, the copy says which one is right."""
    token, of, site = content.get("id_token"), data_key.id_token, data_key.site
    if data_key.destroyed_at:
        return False
    if of is not None and token is not None:
        return (of.canonical, of.type) == (token_canonical(token["uid"], token["type"]), token["type"])
    return of is None and token is None and site is not None and site.code == content["location"].get("id")


def is_recorded(entry: LedgerEntry) -> bool:
    return entry.transaction is not None and entry.transaction.status == RECORDED
