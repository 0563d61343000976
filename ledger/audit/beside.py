"""What the audit compares beside the entries: corrections, published keys, transactions without entries, data keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.db.models import Q

from ledger.errors import LedgerError, MasterKeyMissing
from ledger.keys import data_keys as keys
from ledger.models import ChainTransaction, DataKey, SigningKey
from stations.models import ChargingSession, Correction
from tpm.client import TpmError

if TYPE_CHECKING:
    from ledger.audit.chain import Carriers


def beside(carriers: "Carriers") -> Iterator[str]:
    """One sentence a difference. Raises ChainError."""
    yield from corrections()
    yield from lone_transactions(carriers)
    yield from signing_keys(carriers)
    yield from data_keys()


def corrections() -> Iterator[str]:
    """Each is sealed, its credit takes back its session, and no credit or replacement stands without one."""
    for row in Correction.objects.select_related("credit").iterator(chunk_size=500):
        if not row.is_sealed():
            yield f"correction {row.pk}: not as this portal wrote it"
        elif not row.credit.credit or row.credit.credit_reference_id != row.session_id:
            yield f"correction {row.pk}: its credit takes back another session"
    unmade = Q(correction_made__isnull=True, correction_replaced__isnull=True, restored_at__isnull=True)
    by_operator = ChargingSession.objects.filter(unmade, Q(credit=True) | Q(source=ChargingSession.Source.OPERATOR))
    for pk in by_operator.values_list("pk", flat=True).iterator(chunk_size=500):
        yield f"session {pk}: a correction made it, and that is gone"


def lone_transactions(carriers: "Carriers") -> Iterator[str]:
    """Transactions that carry no entry: what they say of keys and blocks is shown, too."""
    final = ChainTransaction.Status.IRREVERSIBLE
    lone = ChainTransaction.objects.filter(status=final, entries__isnull=True)
    for pk in lone.values_list("pk", flat=True).iterator(chunk_size=500):
        if reason := carriers.of([pk])[pk].reason:
            yield f"transaction {pk}, without entries: {reason}"


def signing_keys(carriers: "Carriers") -> Iterator[str]:
    """A key that is published as ours signs on the chain, or signed there."""
    final, coming = ChainTransaction.Status.IRREVERSIBLE, SigningKey.Status.COMING
    signed = ChainTransaction.objects.filter(status=final).order_by().values("public_key")
    unused = SigningKey.objects.exclude(status=coming).exclude(public_key="").exclude(public_key__in=signed)
    for name, public_key in unused.values_list("name", "public_key"):
        if public_key not in _permitted(carriers):
            yield f"signing key {name}: {public_key} neither signed on the chain nor may sign there"


def _permitted(carriers: "Carriers") -> set[str]:
    found = carriers.node.account_info()["permissions"]
    return {key["key"] for permission in found for key in permission["required_auth"]["keys"]}


def data_keys() -> Iterator[str]:
    """Each living one opens: else the copies that it sealed are lost. Not looked at where the TPM is away."""
    try:
        ring = keys.keyring()
        ring.directory  # noqa: B018 - asks the TPM once
    except (LedgerError, TpmError):
        return  # an alert of those who need the keys says so
    living = DataKey.objects.filter(wrapped__isnull=False).only("key_id", "wrapped", "master_key_id")
    for data_key in living.iterator(chunk_size=500):
        try:
            ring.unwrap(data_key)
        except TpmError:
            return
        except (MasterKeyMissing, ValueError):
            ring = keys.keyring()  # replaced meanwhile?
            if not _opens(ring, data_key.pk):
                yield f"data key {data_key.pk}: does not open any more"


def _opens(ring: keys.Keyring, pk: int) -> bool:
    fresh = DataKey.objects.filter(pk=pk, wrapped__isnull=False).first()
    try:
        return fresh is None or bool(ring.unwrap(fresh))
    except (MasterKeyMissing, ValueError):
        return False
