"""What must hold when the chaos is over: every session once on the chain, nothing lost, nothing twice, every key there.

Import it once Django is set up.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from ledger import record
from ledger.audit.audit import audit
from ledger.chain import antelope
from ledger.chain.node import chain
from ledger.chain.records import records_in
from ledger.chain.view import View
from ledger.errors import LedgerError
from ledger.keys import data_keys
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.signing.signer import signer
from stations.models import ChargingSession

SHOWN = 5


def problems(*, sessions: int, public_key: str, progress: Callable[[int], None] = lambda _: None) -> list[str]:
    """Everything that is wrong, [] when all is well. `sessions` were closed; `public_key` is the TPM key's."""
    on_chain = list(_records(progress))
    found = _counts(sessions)
    entries = {pk: bytes(digest) for pk, digest in LedgerEntry.objects.values_list("id", "digest")}
    found += differences(entries, [(ledger_id, digest) for ledger_id, digest, _ in on_chain])
    found += _copies(on_chain)
    if signer().to_public() != public_key:
        found.append(f"the TPM's key: expected {public_key}, got {signer().to_public()}")
    found += [f"alert still open: {alert}: {alert.message}" for alert in Alert.objects.filter(closed_at__isnull=True)]
    return found


def differences(expected: Mapping[int, bytes], recorded: Iterable[tuple[int, bytes]]) -> list[str]:
    """Compare ledger id -> digest of the entries with all (id, digest) that stand in blocks: each once, no other."""
    found = list(recorded)
    ids, digests = Counter(ledger_id for ledger_id, _ in found), Counter(digest for _, digest in found)
    wrong: dict[str, list[int] | list[str]] = {
        "lost": [i for i in expected if i not in ids],
        "not ours": [i for i in ids if i not in expected],
        "ids twice": [i for i, count in ids.items() if count > 1],
        "digests twice": [digest.hex() for digest, count in digests.items() if count > 1],
        "other digest": [i for i, digest in found if i in expected and expected[i] != digest],
    }
    return [f"{what}: {len(which)}, as {which[:SHOWN]}" for what, which in wrong.items() if which]


def _records(progress: Callable[[int], None]) -> Iterable[antelope.Record]:
    """The records of all blocks up to LIB."""
    view = View()
    for block in view.irreversible_blocks(2):
        progress(1)
        for transaction in block.transactions.values():
            yield from records_in(transaction, view.chain.account)


def _counts(sessions: int) -> list[str]:
    report = audit()
    row_count = chain().state().count
    statuses = set(ChainTransaction.objects.values_list("status", flat=True))
    expected = {ChainTransaction.Status.IRREVERSIBLE.value, ChainTransaction.Status.EXPIRED.value}
    found = []
    if not report.clean or report.equal != sessions:
        found.append(f"audit: expected {sessions} equal, got {report.as_dict()}"[:2000])
    if (closed := ChargingSession.objects.closed().count()) != sessions:
        found.append(f"closed sessions: expected {sessions}, got {closed}")
    if row_count != sessions:
        found.append(f"rows on the chain: expected {sessions}, got {row_count}")
    if statuses - expected:
        found.append(f"transactions: expected {sorted(expected)}, got {sorted(statuses)}")
    return found


def _copies(on_chain: Iterable[antelope.Record]) -> list[str]:
    """Every sealed copy opens with the data key of its entry and holds what was recorded."""
    ring, wrong = data_keys.keyring(), []
    entries = LedgerEntry.objects.select_related("data_key").in_bulk()
    for ledger_id, _, sealed in on_chain:
        entry = entries.get(ledger_id)
        if entry is None:
            continue  # told by `differences`
        try:
            opened = record.open_sealed(ledger_id=ledger_id, sealed=sealed, key=ring.unwrap(entry.data_key))
            equal = (opened.canonical, opened.salt) == (bytes(entry.canonical or b""), bytes(entry.salt or b""))
        except LedgerError as error:
            wrong.append(f"copy {ledger_id} does not open: {error}")
        else:
            wrong += [] if equal else [f"copy {ledger_id} holds another record"]
    return wrong[:SHOWN]
