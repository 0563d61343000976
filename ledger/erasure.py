"""Forgetting a customer: his data keys are destroyed, so the copies on the chain stay closed for ever.

What stays: the digests on the chain (without salt and record they say nothing), and the sessions' figures without
token and customer, which the operator must keep for his accounts.
"""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from ledger import keys
from ledger.models import DataKey, LedgerEntry
from stations.models import ChargingSession, IdToken


def customer_erase(*, customer: User) -> int:
    """Destroy the data keys of all his tokens and unlink his sessions; returns how many sessions were touched.

    The master key is replaced afterwards, so that an older backup of the wrapped keys opens nothing of his with the
    master key of a later day. Make a new key backup then: older ones are of no use any more. Where the TPM is away his
    keys are destroyed all the same; the sweep replaces the master key later, and the alert `master_key_due` says so.
    """
    with transaction.atomic():
        tokens = list(IdToken.objects.filter(customer=customer).values_list("pk", flat=True))
        his = Q(id_token__in=tokens) | Q(customer=customer)
        ids = list(ChargingSession.objects.filter(his).values_list("pk", flat=True))
        keys.destroy(DataKey.objects.filter(id_token__in=tokens))
        LedgerEntry.objects.filter(session__in=ids, data_key__destroyed_at__isnull=False).update(
            salt=None, canonical=None, erased_at=timezone.now()
        )
        ChargingSession.objects.filter(pk__in=ids).update(id_token=None, customer=None)
        IdToken.objects.filter(pk__in=tokens).delete()
    keys.master_key_upkeep()
    return len(ids)
